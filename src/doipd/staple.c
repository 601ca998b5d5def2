/*
 * OCSP responses beside certificates: see staple.h.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "staple.h"

enum { RESPONSE_MOST = 65536 };

/* The whole file; 0 with a reason where that can't be. */
static int
read_file(const char *file, unsigned char *der, const char *says, char *reason, size_t size)
{
    FILE *opened = fopen(file, "re");
    size_t length = opened != NULL ? fread(der, 1, RESPONSE_MOST, opened) : 0;
    bool broken = opened == NULL || ferror(opened) != 0;

    if (broken)
        snprintf(reason, size, "%s: can't read %s: %s", says, file, strerror(errno));
    else if (length == 0 || length == RESPONSE_MOST)
        snprintf(reason, size, "%s: %s holds no OCSP response: it is %s", says, file, length == 0 ? "empty" : "too large");
    if (opened != NULL)
        fclose(opened);
    return broken || length == RESPONSE_MOST ? 0 : (int)length;
}

/* The answer that is about a certificate, known by its number, as there need be no issuer at hand to compare. */
static OCSP_SINGLERESP *
find(OCSP_BASICRESP *basic, X509 *certificate)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        ASN1_INTEGER *number = NULL;

        OCSP_id_get0_info(NULL, NULL, NULL, &number, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
        if (number != NULL && ASN1_INTEGER_cmp(number, X509_get0_serialNumber(certificate)) == 0)
            return single;
    }
    return NULL;
}

/* What is wrong with a response, in words; NULL for nothing. */
static const char *
judge(OCSP_BASICRESP *basic, X509 *certificate, time_t *end)
{
    OCSP_SINGLERESP *single = basic != NULL ? find(basic, certificate) : NULL;
    ASN1_GENERALIZEDTIME *next = NULL;
    struct tm until;
    int status;

    if (basic == NULL)
        return "holds no OCSP response in DER with an answer; make it with openssl ocsp -respout";
    if (single == NULL)
        return "is about another certificate; get the response for this one";
    status = OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return status == V_OCSP_CERTSTATUS_REVOKED ? "says that the certificate was revoked; get a new certificate"
                                                   : "says that the certificate is unknown to its authority";
    *end = next != NULL && ASN1_TIME_to_tm(next, &until) == 1 ? timegm(&until) : 0;
    return NULL;
}

static const char *
look_through(struct staple *staple, X509 *certificate)
{
    const unsigned char *at = staple->der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, staple->size);
    OCSP_BASICRESP *basic = response != NULL ? OCSP_response_get1_basic(response) : NULL;
    const char *wrong = judge(basic, certificate, &staple->end);

    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return wrong;
}

bool
staple_read(struct staple *staple, const char *file, X509 *certificate, const char *says, char *reason, size_t size)
{
    const char *wrong;

    staple->file = strdup(file);
    staple->der = malloc(RESPONSE_MOST);
    if (staple->file == NULL || staple->der == NULL) {
        snprintf(reason, size, "out of memory");
        return false;
    }
    staple->size = read_file(file, staple->der, says, reason, size);
    if (staple->size == 0)
        return false;
    wrong = look_through(staple, certificate);
    if (wrong != NULL)
        snprintf(reason, size, "%s: %s %s", says, file, wrong);
    return wrong == NULL;
}

void
staple_fini(struct staple *staple)
{
    free(staple->file);
    free(staple->der);
    *staple = (struct staple){.file = NULL};
}

bool
staple_has_expired(const struct staple *staple, time_t now)
{
    return staple->file != NULL && staple->end != 0 && now >= staple->end;
}

void
staple_text(const struct staple *staple, time_t now, char *text, size_t size)
{
    char end[32];
    struct tm utc;

    gmtime_r(&staple->end, &utc);
    strftime(end, sizeof end, "%Y-%m-%d %H:%M UTC", &utc);
    if (staple->file == NULL)
        snprintf(text, size, "no");
    else if (staple->end == 0)
        snprintf(text, size, "yes, without an end");
    else if (staple_has_expired(staple, now))
        snprintf(text, size, "no: the response expired at %s; get a new one", end);
    else
        snprintf(text, size, "until %s", end);
}

int
staple_show(const struct staple *staple, SSL *ssl)
{
    unsigned char *copy;

    if (staple->file == NULL || staple_has_expired(staple, time(NULL)))
        return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(staple->der, (size_t)staple->size);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->size);
    return SSL_TLSEXT_ERR_OK;
}
