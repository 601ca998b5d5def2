/*
 * The service's certificate and key: see identity.h. Runs in the master, with its privileges.
 */
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <openssl/err.h>
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
#include "tickets.h"

enum { NAMES_MOST = 64 };

/* ------------------------------------------------------------------ the self-made certificate */

static void
listen_name(const struct config_listen *listen_on, char *name, size_t size)
{
    if (getnameinfo((const struct sockaddr *)&listen_on->address, listen_on->length, name, (socklen_t)size,
                    NULL, 0, NI_NUMERICHOST) != 0)
        name[0] = '\0';
}

/* localhost, the host's name, the listen addresses, the announced one (protocol section 1). */
static bool
make_pair(const struct config *config, EVP_PKEY **key, X509 **certificate, char *reason, size_t size)
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
        done = private_file_write(config->state_directory, "tls", "service.pem", text, (size_t)length, reason, size);
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

static bool
kept_pair(const struct config *config, bool may_make, EVP_PKEY **key, X509 **certificate, char *reason, size_t size)
{
    char *text = NULL;
    size_t length = 0;
    int found = private_file_read(config->state_directory, "tls", "service.pem", &text, &length, reason, size);

    if (found < 0)
        return false;
    if (found > 0) {
        bool good = parse_pair(text, length, key, certificate);
        OPENSSL_cleanse(text, length);
        free(text);
        if (!good)
            snprintf(reason, size, "%s/tls/service.pem: %s; remove it to have a new one made",
                     config->state_directory, doip_tls_error());
        return good;
    }
    if (!make_pair(config, key, certificate, reason, size))
        return false;
    if (may_make && !store_pair(config, *key, *certificate, reason, size))
        return false;
    if (may_make)
        log_notice(CERTIFICATE_MADE, "made a self-signed certificate for %s in %s/tls/service.pem", config->service.id,
                   config->state_directory);
    return true;
}

static void
check_name(const struct config *config, const X509 *certificate)
{
    char *name = doip_certificate_identity(certificate);

    if (name == NULL || strcmp(name, config->service.id) != 0)
        log_warning(CERTIFICATE_NAME, "the kept certificate names %s, the service is %s: remove %s/tls/service.pem to have a new one made",
                    name != NULL ? name : "nobody", config->service.id, config->state_directory);
    free(name);
}

static bool
use_kept(SSL_CTX *context, const struct config *config, bool may_make, char *reason, size_t size)
{
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    bool done = kept_pair(config, may_make, &key, &certificate, reason, size);

    if (done) {
        check_name(config, certificate);
        done = SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
        if (!done)
            snprintf(reason, size, "%s/tls/service.pem: %s", config->state_directory, doip_tls_error());
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
    return done;
}

/* ------------------------------------------------------------------ configured files */

/* A file that can't be opened is told in errno's words, not OpenSSL's. */
static bool
readable(const char *key_name, const char *path, char *reason, size_t size)
{
    if (access(path, R_OK) == 0)
        return true;
    snprintf(reason, size, "tls.%s: can't read %s: %s", key_name, path, strerror(errno));
    return false;
}

static bool
use_files(SSL_CTX *context, const struct config *config, char *reason, size_t size)
{
    const char *certificate = config->tls.certificate;
    const char *key = config->tls.key[0] != '\0' ? config->tls.key : certificate;

    if (!readable("certificate", certificate, reason, size) || !readable("key", key, reason, size))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        snprintf(reason, size, "tls.certificate: %s holds no usable certificate in PEM: %s", certificate,
                 doip_tls_error());
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1) {
        snprintf(reason, size, "tls.key: %s does not hold the key of the certificate in %s: %s", key, certificate,
                 doip_tls_error());
        return false;
    }
    return true;
}

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
    if (!readable("client_ca", file, reason, size))
        return false;
    if (SSL_CTX_load_verify_file(context, file) != 1) {
        snprintf(reason, size, "tls.client_ca: %s holds no usable certificate in PEM: %s", file, doip_tls_error());
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
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool done;

    if (context == NULL) {
        snprintf(reason, size, "can't make a TLS context: %s", doip_tls_error());
        return NULL;
    }
    done = doip_tls_prepare(context, config->tls.min_version);
    if (!done)
        snprintf(reason, size, "tls.min_version: %s is not \"1.2\" or \"1.3\"", config->tls.min_version);
    else if (config->tls.certificate[0] != '\0')
        done = use_files(context, config, reason, size);
    else
        done = use_kept(context, config, may_make, reason, size);
    tickets_install(context);
    if (!done || !use_client_ca(context, config, reason, size)) {
        SSL_CTX_free(context);
        ERR_clear_error();
        return NULL;
    }
    return context;
}
