/*
 * The passwords that were verified within the last minute: see verified.h.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "verified.h"

static EVP_MAC_CTX *
make_keyed(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *keyed = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(size_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    unsigned char key[VERIFIED_MAC];
    bool good = keyed != NULL && RAND_bytes(key, sizeof key) == 1 &&
                EVP_MAC_init(keyed, key, sizeof key, params) == 1;

    OPENSSL_cleanse(key, sizeof key);
    EVP_MAC_free(hmac);
    if (good)
        return keyed;
    EVP_MAC_CTX_free(keyed);
    return NULL;
}

bool
verified_init(struct verified *verified)
{
    memset(verified, 0, sizeof *verified);
    pthread_mutex_init(&verified->lock, NULL);
    verified->keyed = make_keyed();
    return verified->keyed != NULL;
}

void
verified_fini(struct verified *verified)
{
    EVP_MAC_CTX_free(verified->keyed);
    verified->keyed = NULL;
}

/* With its NUL, so that no two triples read alike. */
static bool
add_text(EVP_MAC_CTX *context, const char *text)
{
    return EVP_MAC_update(context, (const unsigned char *)text, strlen(text) + 1) == 1;
}

bool
verified_mac(const struct verified *verified, const char *user, const char *hash,
             const char *password, unsigned char mac[VERIFIED_MAC])
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(verified->keyed);
    size_t length;
    bool good = context != NULL && add_text(context, user) && add_text(context, hash) &&
                add_text(context, password) &&
                EVP_MAC_final(context, mac, &length, VERIFIED_MAC) == 1;

    EVP_MAC_CTX_free(context);
    return good;
}

bool
verified_knows(struct verified *verified, const unsigned char mac[VERIFIED_MAC], int64_t now)
{
    bool known = false;

    pthread_mutex_lock(&verified->lock);
    for (int i = 0; i < VERIFIED_PLACES; i++)
        known |= verified->places[mac[0]][i].until > now &&
                 CRYPTO_memcmp(verified->places[mac[0]][i].mac, mac, VERIFIED_MAC) == 0;
    pthread_mutex_unlock(&verified->lock);
    return known;
}

void
verified_add(struct verified *verified, const unsigned char mac[VERIFIED_MAC], int64_t now)
{
    int oldest = 0;

    pthread_mutex_lock(&verified->lock);
    for (int i = 1; i < VERIFIED_PLACES; i++)
        if (verified->places[mac[0]][i].until < verified->places[mac[0]][oldest].until)
            oldest = i;
    memcpy(verified->places[mac[0]][oldest].mac, mac, VERIFIED_MAC);
    verified->places[mac[0]][oldest].until = now + VERIFIED_MS;
    pthread_mutex_unlock(&verified->lock);
}
