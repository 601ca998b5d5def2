/*
 * What DOIP asks of certificates (protocol section 1): the self-signed one of a service, the name
 * that a certificate gives its subject, and the pin of its key. Called by doipd's master (make),
 * its workers (identity) and clients (pin), in any thread: there is no state here.
 */
#include <doip/tls.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum {
    CERTIFICATE_DAYS = 3650, /* clients pin the key: an early end would only break them */
    CERTIFICATE_CN_MAX = 64, /* characters, ub-common-name of X.520 */
    CERTIFICATE_NAME_MAX = 253,
    CERTIFICATE_SERIAL = 16
};

/* ------------------------------------------------------------------ making one */

static size_t
certificate_characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* Added by type, not by MBSTRING: OpenSSL's table would refuse a UID of more than 256 characters,
 * and a DOIP id may have 512 bytes. */
static bool
certificate_name_add(X509_NAME *name, int nid, const char *text)
{
    return X509_NAME_add_entry_by_NID(name, nid, V_ASN1_UTF8STRING, (const unsigned char *)text,
                                      (int)strlen(text), -1, 0) == 1;
}

static bool
certificate_set_names(X509 *certificate, const char *service)
{
    X509_NAME *name = X509_NAME_new();
    bool done = name != NULL && certificate_name_add(name, NID_userId, service);

    if (done && certificate_characters(service) <= CERTIFICATE_CN_MAX)
        done = certificate_name_add(name, NID_commonName, service);
    done = done && X509_set_subject_name(certificate, name) == 1 &&
           X509_set_issuer_name(certificate, name) == 1;
    X509_NAME_free(name);
    return done;
}

/* 127 random bits, the highest set: positive, and never short. */
static bool
certificate_set_serial(X509 *certificate)
{
    unsigned char bytes[CERTIFICATE_SERIAL];
    BIGNUM *number;
    bool done;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

/* An hour back, for clients whose clock is behind. */
static bool
certificate_set_validity(X509 *certificate)
{
    return X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), CERTIFICATE_DAYS, 0, NULL) != NULL;
}

static bool
certificate_add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool done;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

/* A name that can stand in a dNSName; others (from a strange host name) are left out rather than
 * spoil the certificate. */
static bool
certificate_name_is_dns(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > CERTIFICATE_NAME_MAX)
        return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("-._*", *name) == NULL)
            return false;
    }
    return true;
}

/* An address as GEN_IPADD wants it, 0 bytes for what is none. A zone ("fe80::1%eth0") is not part
 * of it. */
static size_t
certificate_address(const char *text, unsigned char address[16])
{
    char plain[INET6_ADDRSTRLEN];

    snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(text, "%"), text);
    if (inet_pton(AF_INET, plain, address) == 1)
        return 4;
    return inet_pton(AF_INET6, plain, address) == 1 ? 16 : 0;
}

static GENERAL_NAME *
certificate_general_name(const char *name)
{
    unsigned char address[16];
    size_t length = certificate_address(name, address);
    const void *data = length > 0 ? (const void *)address : name;
    ASN1_STRING *value;
    GENERAL_NAME *general;

    if (length == 0)
        length = strlen(name);
    value = ASN1_STRING_type_new(data == name ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    general = GENERAL_NAME_new();
    if (value == NULL || general == NULL || ASN1_STRING_set(value, data, (int)length) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(general);
        return NULL;
    }
    GENERAL_NAME_set0_value(general, data == name ? GEN_DNS : GEN_IPADD, value);
    return general;
}

static bool
certificate_known_name(GENERAL_NAMES *list, GENERAL_NAME *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(list, i), name) == 0)
            return true;
    }
    return false;
}

static bool
certificate_push_name(GENERAL_NAMES *list, const char *name)
{
    unsigned char address[16];
    GENERAL_NAME *general;
    bool known;

    if (certificate_address(name, address) == 0 && !certificate_name_is_dns(name))
        return true;
    general = certificate_general_name(name);
    if (general == NULL)
        return false;
    known = certificate_known_name(list, general);
    if (!known && sk_GENERAL_NAME_push(list, general) > 0)
        return true;
    GENERAL_NAME_free(general);
    return known;
}

static bool
certificate_add_names(X509 *certificate, const char *const *names)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    bool done = list != NULL;

    for (; done && names != NULL && *names != NULL; names++)
        done = certificate_push_name(list, *names);
    if (done && sk_GENERAL_NAME_num(list) > 0)
        done = X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, 0) == 1;
    sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
    return done;
}

static bool
certificate_fill(X509 *certificate, const char *service, const char *const *names, EVP_PKEY *key)
{
    bool rsa = EVP_PKEY_is_a(key, "RSA") == 1;

    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           certificate_set_serial(certificate) && certificate_set_validity(certificate) &&
           certificate_set_names(certificate, service) && X509_set_pubkey(certificate, key) == 1 &&
           certificate_add_names(certificate, names) &&
           certificate_add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           certificate_add_extension(certificate, NID_key_usage,
                                     rsa ? "critical,digitalSignature,keyEncipherment"
                                         : "critical,digitalSignature") &&
           certificate_add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           certificate_add_extension(certificate, NID_subject_key_identifier, "hash");
}

/* Edwards curves bring their own digest. */
static bool
certificate_sign(X509 *certificate, EVP_PKEY *key)
{
    bool own = EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1;

    return X509_sign(certificate, key, own ? NULL : EVP_sha256()) > 0;
}

bool
doip_certificate_make(const char *service, const char *const *names, EVP_PKEY **key,
                      X509 **certificate, char *reason, size_t size)
{
    EVP_PKEY *used = *key != NULL ? *key : EVP_EC_gen("P-256");
    X509 *made = X509_new();

    if (used == NULL || made == NULL || !certificate_fill(made, service, names, used) ||
        !certificate_sign(made, used)) {
        snprintf(reason, size, "cannot make a certificate for %s: %s", service, doip_tls_error());
        X509_free(made);
        if (used != *key)
            EVP_PKEY_free(used);
        return false;
    }
    *key = used;
    *certificate = made;
    return true;
}

/* ------------------------------------------------------------------ reading one */

/* "300:20.500.123/alice" is alice at index 300 of her handle. */
static const char *
certificate_skip_index(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && text[digits] == ':' ? text + digits + 1 : text;
}

static char *
certificate_entry_text(const X509_NAME *name, int index)
{
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
    unsigned char *utf8 = NULL;
    int length = ASN1_STRING_to_UTF8(&utf8, value);
    const char *text;
    char *copy = NULL;

    if (length >= 0 && memchr(utf8, '\0', (size_t)length) == NULL) {
        text = certificate_skip_index((const char *)utf8);
        if (text[0] != '\0' && strlen(text) <= DOIP_ID_MAX)
            copy = strdup(text);
    }
    OPENSSL_free(utf8);
    return copy;
}

/* The first kind of name that is there decides: a bad UID does not fall back to a CN that says
 * something else. */
char *
doip_certificate_identity(const X509 *certificate)
{
    static const int kinds[] = {NID_userId, NID_commonName, NID_organizationName};
    const X509_NAME *name = X509_get_subject_name(certificate);
    int index;

    for (size_t i = 0; name != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        index = X509_NAME_get_index_by_NID(name, kinds[i], -1);
        if (index >= 0)
            return certificate_entry_text(name, index);
    }
    return NULL;
}

bool
doip_certificate_pin(const X509 *certificate, char pin[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char *encoded = NULL;
    unsigned int length = 0;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
    bool done = size > 0 &&
                EVP_Digest(encoded, (size_t)size, digest, &length, EVP_sha256(), NULL) == 1 &&
                length == 32;

    OPENSSL_free(encoded);
    for (unsigned int i = 0; done && i < length; i++)
        snprintf(pin + 2 * i, 3, "%02x", digest[i]);
    return done;
}
