/*
 * Certificates with their keys: see pairs.h.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doip/tls.h>

#include "pairs.h"

enum { DAY = 86400 };

/* ------------------------------------------------------------------ sets */

struct pair *
pair_set_add(struct pair_set *set)
{
    struct pair *grown = realloc(set->items, (set->count + 1) * sizeof *grown);

    if (grown == NULL)
        return NULL;
    set->items = grown;
    grown[set->count] = (struct pair){.certificate = NULL};
    return &grown[set->count++];
}

void
pair_set_free(struct pair_set **set)
{
    for (size_t i = 0; *set != NULL && i < (*set)->count; i++) {
        X509_free((*set)->items[i].certificate);
        EVP_PKEY_free((*set)->items[i].key);
        sk_X509_pop_free((*set)->items[i].chain, X509_free);
        free((*set)->items[i].file);
        staple_fini(&(*set)->items[i].staple);
    }
    if (*set != NULL)
        free((*set)->items);
    free(*set);
    *set = NULL;
}

/* ------------------------------------------------------------------ reading */

/* A file that can't be opened is told in errno's words, not OpenSSL's. */
static BIO *
open_file(const char *says, const char *path, char *reason, size_t size)
{
    BIO *bio = access(path, R_OK) == 0 ? BIO_new_file(path, "r") : NULL;

    if (bio == NULL)
        snprintf(reason, size, "%s: can't read %s: %s", says, path, strerror(errno));
    return bio;
}

/* The certificate first, then those that lead to an authority. */
static bool
read_certificates(struct pair *pair, BIO *bio)
{
    X509 *more;

    pair->certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    pair->chain = sk_X509_new_null();
    if (pair->certificate == NULL || pair->chain == NULL)
        return false;
    while ((more = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(pair->chain, more) <= 0) {
            X509_free(more);
            return false;
        }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

/* Nobody is there to be asked for a passphrase. */
static int
no_passphrase(char *text, int size, int writing, void *context)
{
    (void)text;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static bool
refuse_key(const struct pair_files *files, bool encrypted, char *reason, size_t size)
{
    if (encrypted)
        snprintf(reason, size,
                 "%s: the key in %s is encrypted; decrypt it (openssl pkey), and protect it by the "
                 "file's mode",
                 files->key_says, files->key);
    else
        snprintf(reason, size, "%s: %s holds no usable key in PEM: %s", files->key_says, files->key,
                 doip_tls_error());
    return false;
}

static bool
read_key(struct pair *pair, const struct pair_files *files, BIO *bio, char *reason, size_t size)
{
    bool encrypted = false;
    struct stat status;

    pair->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    if (pair->key == NULL)
        return refuse_key(files, encrypted, reason, size);
    if (stat(files->key, &status) < 0 || (status.st_mode & S_IROTH) == 0)
        return true;
    snprintf(
        reason, size,
        "%s: everybody can read the key in %s: chmod 600 %s, and take it that others have read it",
        files->key_says, files->key, files->key);
    return false;
}

static bool
check(const struct pair *pair, const struct pair_files *files, char *reason, size_t size)
{
    char day[16];
    struct tm end;

    if (X509_check_private_key(pair->certificate, pair->key) != 1) {
        snprintf(
            reason, size,
            "%s: %s does not hold the key of the certificate in %s; set the one that belongs to it",
            files->key_says, files->key, files->certificate);
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(pair->certificate)) >= 0)
        return true;
    ASN1_TIME_to_tm(X509_get0_notAfter(pair->certificate), &end);
    strftime(day, sizeof day, "%Y-%m-%d", &end);
    snprintf(reason, size, "%s: the certificate in %s has expired, on %s; renew it",
             files->certificate_says, files->certificate, day);
    return false;
}

static bool
read_certificate_file(struct pair *pair, const struct pair_files *files, char *reason, size_t size)
{
    BIO *bio = open_file(files->certificate_says, files->certificate, reason, size);
    bool done;

    if (bio == NULL)
        return false;
    done = read_certificates(pair, bio);
    if (!done)
        snprintf(reason, size, "%s: %s holds no usable certificate in PEM: %s",
                 files->certificate_says, files->certificate, doip_tls_error());
    BIO_free(bio);
    return done;
}

static bool
read_key_file(struct pair *pair, const struct pair_files *files, char *reason, size_t size)
{
    BIO *bio = open_file(files->key_says, files->key, reason, size);
    bool done = bio != NULL && read_key(pair, files, bio, reason, size);

    BIO_free(bio);
    return done;
}

static bool
read_staple(struct pair *pair, const struct pair_files *files, char *reason, size_t size)
{
    return files->ocsp == NULL || files->ocsp[0] == '\0' ||
           staple_read(&pair->staple, files->ocsp, pair->certificate, files->ocsp_says, reason, size);
}

bool
pair_read(struct pair *pair, const struct pair_files *files, char *reason, size_t size)
{
    ERR_clear_error();
    pair->file = strdup(files->certificate);
    if (pair->file == NULL)
        snprintf(reason, size, "out of memory");
    return pair->file != NULL && read_certificate_file(pair, files, reason, size) &&
           read_key_file(pair, files, reason, size) && check(pair, files, reason, size) &&
           read_staple(pair, files, reason, size);
}

/* ------------------------------------------------------------------ telling */

time_t
pair_end(const struct pair *pair)
{
    struct tm end;

    return ASN1_TIME_to_tm(X509_get0_notAfter(pair->certificate), &end) == 1 ? timegm(&end) : 0;
}

int
days_until(time_t end)
{
    time_t left = end - time(NULL);

    return (int)(left >= 0 ? left / DAY : -((-left + DAY - 1) / DAY));
}

void
pair_key_text(const struct pair *pair, char *text, size_t size)
{
    const char *type = EVP_PKEY_get0_type_name(pair->key);
    char curve[32] = "";

    if (EVP_PKEY_is_a(pair->key, "RSA") == 1)
        snprintf(text, size, "RSA %d", EVP_PKEY_get_bits(pair->key));
    else if (EVP_PKEY_get_group_name(pair->key, curve, sizeof curve, NULL) == 1)
        snprintf(text, size, "%s %s", type, curve);
    else
        snprintf(text, size, "%s", type != NULL ? type : "unknown");
}

static bool
print_names(const struct pair *pair, BIO *bio)
{
    int at = X509_get_ext_by_NID(pair->certificate, NID_subject_alt_name, -1);

    if (at >= 0)
        return X509V3_EXT_print(bio, X509_get_ext(pair->certificate, at), 0, 0) == 1;
    return X509_NAME_print_ex(bio, X509_get_subject_name(pair->certificate), 0, XN_FLAG_RFC2253) >=
           0;
}

void
pair_names_text(const struct pair *pair, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int length = bio != NULL && print_names(pair, bio) ? BIO_read(bio, text, (int)size - 1) : 0;

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    BIO_free(bio);
}
