/*
 * The self-made certificate: see kept_certificate.h. Runs in the master, with its privileges.
 */
#include "kept_certificate.h"

#include <limits.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <doip/tls.h>

#include "identity.h"
#include "log.h"
#include "private_files.h"

enum { NAMES_MOST = 64 };

#define KEPT "service.pem"

/* ------------------------------------------------------------------ making and storing one */

static void
listen_name(const struct config_listen *listen_on, char *name, size_t size)
{
    if (getnameinfo((const struct sockaddr *)&listen_on->address, listen_on->length, name,
                    (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
        name[0] = '\0';
}

/* localhost, the host's name, the listen addresses, the announced one (protocol section 1). */
static bool
make_pair(const struct config *config, EVP_PKEY **key, X509 **certificate, char *reason,
          size_t size)
{
    char host[HOST_NAME_MAX + 1] = "", listens[NAMES_MOST][NI_MAXHOST];
    const char *names[NAMES_MOST + 5];
    size_t count = 0;

    gethostname(host, sizeof host - 1);
    names[count++] = "localhost";
    if (host[0] != '\0')
        names[count++] = host;
    for (size_t i = 0; i < config->listen_count && i < NAMES_MOST; i++) {
        listen_name(&config->listen[i], listens[i], sizeof listens[i]);
        if (listens[i][0] != '\0')
            names[count++] = listens[i];
    }
    names[count++] = config->service.address;
    names[count] = NULL;
    return doip_certificate_make(config->service.id, names, key, certificate, reason, size);
}

static bool
write_pem(BIO *bio, EVP_PKEY *key, X509 *certificate)
{
    return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
           PEM_write_bio_X509(bio, certificate) == 1;
}

/* Key and certificate in one file: they can't fall apart. */
static bool
store_pair(const struct config *config, EVP_PKEY *key, X509 *certificate, char *reason, size_t size)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    bool done = false;

    if (bio != NULL && write_pem(bio, key, certificate)) {
        long length = BIO_get_mem_data(bio, &text);
        done = private_file_write(config->state_directory, "tls", KEPT, text, (size_t)length,
                                  reason, size);
    } else {
        snprintf(reason, size, "can't write the certificate: %s", doip_tls_error());
    }
    BIO_free(bio);
    return done;
}

static bool
parse_pair(const char *text, size_t length, EVP_PKEY **key, X509 **certificate)
{
    BIO *bio = BIO_new_mem_buf(text, (int)length);

    if (bio != NULL) {
        *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        *certificate = *key != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    }
    BIO_free(bio);
    return *certificate != NULL;
}

/* ------------------------------------------------------------------ taking the kept one */

/* The file's: 1, 0 where there is none yet, -1 with the reason. */
static int
read_kept(const struct config *config, struct pair *pair, char *reason, size_t size)
{
    char *text = NULL;
    size_t length = 0;
    int found =
        private_file_read(config->state_directory, "tls", KEPT, &text, &length, reason, size);

    if (found <= 0)
        return found;
    if (!parse_pair(text, length, &pair->key, &pair->certificate)) {
        snprintf(reason, size, "%s/tls/" KEPT ": %s; remove it to have a new one made",
                 config->state_directory, doip_tls_error());
        found = -1;
    }
    OPENSSL_cleanse(text, length);
    free(text);
    return found;
}

static bool
make_kept(const struct config *config, bool may_store, struct pair *pair, char *reason, size_t size)
{
    if (!make_pair(config, &pair->key, &pair->certificate, reason, size))
        return false;
    if (!may_store)
        return true;
    if (!store_pair(config, pair->key, pair->certificate, reason, size))
        return false;
    log_notice(CERTIFICATE_MADE, "made a self-signed certificate for %s in %s/tls/" KEPT,
               config->service.id, config->state_directory);
    return true;
}

/* With the same key, which clients know it by. Where that can't be done the old one goes on. */
static void
renew_kept(const struct config *config, struct pair *pair)
{
    X509 *fresh = NULL;
    char reason[512];

    if (!make_pair(config, &pair->key, &fresh, reason, sizeof reason) ||
        !store_pair(config, pair->key, fresh, reason, sizeof reason)) {
        log_warning(CERTIFICATE_ENDS,
                    "the self-signed certificate in %s/tls/" KEPT
                    " ends in %d days and can't be renewed: %s",
                    config->state_directory, days_until(pair_end(pair)), reason);
        X509_free(fresh);
        return;
    }
    log_notice(CERTIFICATE_RENEWED,
               "renewed the self-signed certificate in %s/tls/" KEPT
               ", which would have ended in %d days; its key is the same",
               config->state_directory, days_until(pair_end(pair)));
    X509_free(pair->certificate);
    pair->certificate = fresh;
}

static void
check_name(const struct config *config, const X509 *certificate)
{
    char *name = doip_certificate_identity(certificate);

    if (name == NULL || strcmp(name, config->service.id) != 0)
        log_warning(CERTIFICATE_NAME,
                    "the kept certificate names %s, the service is %s: remove %s/tls/" KEPT
                    " to have a new one made",
                    name != NULL ? name : "nobody", config->service.id, config->state_directory);
    free(name);
}

bool
kept_certificate_take(struct pair_set *set, const struct config *config, bool may_make,
                      char *reason, size_t size)
{
    struct pair *pair = pair_set_add(set);
    int found = 0;

    set->self_made = true;
    if (pair == NULL || asprintf(&pair->file, "%s/tls/" KEPT, config->state_directory) < 0) {
        snprintf(reason, size, "out of memory");
        return false;
    }
    found = read_kept(config, pair, reason, size);
    set->throw_away = found == 0 && !may_make;
    if (found == 0)
        return make_kept(config, may_make, pair, reason, size);
    if (found > 0 && may_make && days_until(pair_end(pair)) < IDENTITY_RENEW_DAYS)
        renew_kept(config, pair);
    if (found > 0)
        check_name(config, pair->certificate);
    return found > 0;
}
