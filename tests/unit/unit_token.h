/*
 * What the tests of tokens share: who is calling whom and when, and how a token is judged.
 */
#ifndef UNIT_TOKEN_H
#define UNIT_TOKEN_H

#include <stdbool.h>

#include <openssl/err.h>

#include "token.h"
#include "unit.h"
#include "unit_sign.h"

#define ALICE "20.500.123/alice"
#define SERVICE "20.500.123/service"
#define EDDSA "{\"alg\":\"EdDSA\"}"
#define WHO "\"iss\":\"" ALICE "\",\"sub\":\"" ALICE "\""
#define NOW 1800000000
#define CLAIMS "{" WHO ",\"exp\":1800000600}"

/* Verifies, and frees the token. `wanted`: part of the reason, NULL for a good token. No reason may
 * quote the token or leave errors for the next TLS call. */
static inline void
check_token(EVP_PKEY *key, char *token, const char *wanted)
{
    char reason[256] = "";
    bool good = token_verify(token, key, ALICE, SERVICE, NOW, reason, sizeof reason);

    ck_assert_msg(good == (wanted == NULL), "%s: %s", token, reason);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    if (wanted != NULL) {
        ck_assert_msg(strstr(reason, wanted) != NULL, "%s, wanted %s", reason, wanted);
        ck_assert_int_eq(strncmp(reason, "the token is refused: ", 22), 0);
        ck_assert_ptr_null(strstr(reason, "alice"));
    }
    free(token);
}

#endif
