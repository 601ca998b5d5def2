/*
 * The service's certificate and key: see identity.h. Runs in the master, with its privileges.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <doip/tls.h>

#include "crypto.h"
#include "identity.h"
#include "kept_certificate.h"
#include "tickets.h"

enum { WHERE = 4600 };

/* ------------------------------------------------------------------ configured files */

static bool
take_files(struct pair_set *set, const struct pair_files *files, char *reason, size_t size)
{
    struct pair *pair = pair_set_add(set);

    if (pair == NULL)
        snprintf(reason, size, "out of memory");
    return pair != NULL && pair_read(pair, files, reason, size);
}

static bool
take_first(struct pair_set *set, const struct config *config, char *reason, size_t size)
{
    bool one_file = config->tls.key[0] == '\0';
    char certificate_says[WHERE], key_says[WHERE], ocsp_says[WHERE];

    snprintf(certificate_says, sizeof certificate_says, "%s: tls.certificate", config_origin(config, "tls.certificate"));
    snprintf(key_says, sizeof key_says, "%s: tls.key", config_origin(config, one_file ? "tls.certificate" : "tls.key"));
    snprintf(ocsp_says, sizeof ocsp_says, "%s: tls.ocsp", config_origin(config, "tls.ocsp"));
    return take_files(set,
                      &(struct pair_files){.certificate = config->tls.certificate,
                                           .key = one_file ? config->tls.certificate : config->tls.key,
                                           .ocsp = config->tls.ocsp,
                                           .certificate_says = certificate_says,
                                           .key_says = key_says,
                                           .ocsp_says = ocsp_says},
                      reason, size);
}

static bool
take_listed(struct pair_set *set, const struct config_certificate *one, char *reason, size_t size)
{
    char says[WHERE];

    snprintf(says, sizeof says, "%s: %s", one->where, one->name);
    return take_files(set,
                      &(struct pair_files){.certificate = one->certificate,
                                           .key = one->key != NULL ? one->key : one->certificate,
                                           .ocsp = one->ocsp,
                                           .certificate_says = says,
                                           .key_says = says,
                                           .ocsp_says = says},
                      reason, size);
}

static bool
take_configured(struct pair_set *set, const struct config *config, char *reason, size_t size)
{
    if (config->tls.certificate[0] != '\0' && !take_first(set, config, reason, size))
        return false;
    for (size_t i = 0; i < config->tls.certificate_count; i++)
        if (!take_listed(set, &config->tls.certificates[i], reason, size))
            return false;
    return true;
}

static bool
is_configured(const struct config *config)
{
    return config->tls.certificate[0] != '\0' || config->tls.certificate_count > 0;
}

/* ------------------------------------------------------------------ which one a client is shown */

/* Of each kind of key, a context (or a connection) has the one that came last: so from the last to the first. */
static bool
use_all(SSL_CTX *context, const struct pair_set *set, char *reason, size_t size)
{
    for (size_t i = set->count; i-- > 0;) {
        const struct pair *pair = &set->items[i];

        if (SSL_CTX_use_cert_and_key(context, pair->certificate, pair->key, pair->chain, 1) != 1) {
            snprintf(reason, size, "%s can't be used for TLS: %s", pair->file, doip_tls_error());
            return false;
        }
    }
    return true;
}

static bool
is_for(const struct pair *pair, const char *name)
{
    return X509_check_host(pair->certificate, name, 0, 0, NULL) == 1;
}

/* OpenSSL's callback before it chooses by the client's algorithms: a client that names a host chooses among that host's certificates, all
 * others among the first of each kind. A worker's threads. */
static int
choose(SSL *ssl, void *context)
{
    const struct pair_set *set = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool any = false;

    for (size_t i = set->count; name != NULL && i-- > 0;) {
        const struct pair *pair = &set->items[i];

        if (!is_for(pair, name))
            continue;
        if (!any)
            SSL_certs_clear(ssl);
        any = true;
        if (SSL_use_cert_and_key(ssl, pair->certificate, pair->key, pair->chain, 1) != 1)
            return 0;
    }
    return 1;
}

/* OpenSSL's callback for a client that asks for the OCSP response of the certificate that was chosen. A worker's threads. */
static int
show_staple(SSL *ssl, void *context)
{
    const struct pair_set *set = context;
    const X509 *shown = SSL_get_certificate(ssl);

    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].certificate == shown)
            return staple_show(&set->items[i].staple, ssl);
    return SSL_TLSEXT_ERR_NOACK;
}

static void
free_attached(void *parent, void *set, CRYPTO_EX_DATA *data, int index, long argument, void *pointer)
{
    struct pair_set *gone = set;

    (void)parent;
    (void)data;
    (void)index;
    (void)argument;
    (void)pointer;
    pair_set_free(&gone);
}

static int
place(void)
{
    static int index = -1;

    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_attached);
    return index;
}

/* The context owns the set from here on, also where this fails. */
static bool
attach(SSL_CTX *context, struct pair_set *set, char *reason, size_t size)
{
    if (SSL_CTX_set_ex_data(context, place(), set) != 1) {
        pair_set_free(&set);
        snprintf(reason, size, "out of memory");
        return false;
    }
    if (set->count > 1)
        SSL_CTX_set_cert_cb(context, choose, set);
    SSL_CTX_set_tlsext_status_cb(context, show_staple);
    SSL_CTX_set_tlsext_status_arg(context, set);
    return use_all(context, set, reason, size);
}

static bool
use_certificates(SSL_CTX *context, const struct config *config, bool may_make, char *reason, size_t size)
{
    struct pair_set *set = calloc(1, sizeof *set);
    bool done;

    if (set == NULL) {
        snprintf(reason, size, "out of memory");
        return false;
    }
    done = is_configured(config) ? take_configured(set, config, reason, size)
                                 : kept_certificate_take(set, config, may_make, reason, size);
    if (!done)
        pair_set_free(&set);
    return done && attach(context, set, reason, size);
}

const struct pair_set *
identity_pairs(const SSL_CTX *context)
{
    return SSL_CTX_get_ex_data(context, place());
}

const struct pair *
identity_first_to_end(const SSL_CTX *context)
{
    const struct pair_set *set = identity_pairs(context);
    const struct pair *first = &set->items[0];

    for (size_t i = 1; i < set->count; i++)
        if (pair_end(&set->items[i]) < pair_end(first))
            first = &set->items[i];
    return first;
}

/* ------------------------------------------------------------------ clients' certificates */

/* Clients may present a certificate of any kind; whether its name is proven is asked when the handshake is done. */
static int
accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* A session says that its client's chain was good: it is resumed only where the authorities are those of then. */
static bool
bind_sessions(SSL_CTX *context, const char *file, char *reason, size_t size)
{
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    BIO *bio = BIO_new_file(file, "r");
    BIO *hash = BIO_new(BIO_f_md());
    char scrap[4096];
    bool good = bio != NULL && hash != NULL && BIO_set_md(hash, EVP_sha256()) == 1;

    if (good) {
        BIO_push(hash, bio);
        while (BIO_read(hash, scrap, sizeof scrap) > 0)
            ;
        length = (unsigned int)BIO_gets(hash, (char *)id, sizeof id);
        good = length == SSL_MAX_SID_CTX_LENGTH && SSL_CTX_set_session_id_context(context, id, length) == 1;
    }
    BIO_free(hash);
    BIO_free(bio);
    if (!good)
        snprintf(reason, size, "tls.client_ca: can't read %s again: %s", file, doip_tls_error());
    return good;
}

static bool
has_keys(const struct user_list *users)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->items[i].key != NULL)
            return true;
    return false;
}

static bool
use_client_ca(SSL_CTX *context, const struct config *config, char *reason, size_t size)
{
    const char *file = config->tls.client_ca;

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
    if (file[0] == '\0')
        return true;
    if (access(file, R_OK) < 0) {
        snprintf(reason, size, "%s: tls.client_ca: can't read %s: %s", config_origin(config, "tls.client_ca"), file,
                 strerror(errno));
        return false;
    }
    if (SSL_CTX_load_verify_file(context, file) != 1) {
        snprintf(reason, size, "%s: tls.client_ca: %s holds no usable certificate in PEM: %s",
                 config_origin(config, "tls.client_ca"), file, doip_tls_error());
        return false;
    }
    /* The names tell clients which certificate to show: those who are known by their key would show none. */
    if (!has_keys(&config->users))
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(file));
    return bind_sessions(context, file, reason, size);
}

SSL_CTX *
identity_context(const struct config *config, bool may_make, char *reason, size_t size)
{
    unsigned mark = crypto_mark();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool done;

    if (context == NULL) {
        snprintf(reason, size, "can't make a TLS context: %s", doip_tls_error());
        return NULL;
    }
    done = doip_tls_prepare(context, config->tls.min_version);
    if (!done)
        snprintf(reason, size, "tls.min_version: %s is not \"1.2\" or \"1.3\"", config->tls.min_version);
    else
        done = use_certificates(context, config, may_make, reason, size);
    tickets_install(context);
    if (!done || !use_client_ca(context, config, reason, size) || !crypto_prove(context, mark, reason, size)) {
        SSL_CTX_free(context);
        ERR_clear_error();
        return NULL;
    }
    return context;
}
