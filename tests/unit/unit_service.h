/*
 * For tests that need the other end of a connection: a service of a few lines in a thread, with a
 * certificate of its own, behind a real socket and TLS.
 */
#ifndef UNIT_SERVICE_H
#define UNIT_SERVICE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>

#include <doip/client.h>

#include "unit.h"

/* What the service does with a connection after the handshake; the test frees nothing of it. */
typedef void (*behaviour)(doip_stream *stream);

static struct {
    SSL_CTX *context;
    X509 *certificate;
    char file[64]; /* the certificate in PEM */
    int listener, port;
    behaviour behave;
    pthread_t thread;
} service;

static const char *const hosts[] = {"127.0.0.1", NULL};

static inline void *
service_run(void *unused)
{
    int fd = accept4(service.listener, NULL, NULL, SOCK_NONBLOCK);
    doip_stream *stream = fd >= 0 ? doip_tls_server(service.context, fd) : NULL;

    if (stream != NULL && doip_tls_handshake(stream) == 0 && service.behave != NULL)
        service.behave(stream);
    doip_stream_free(&stream);
    return unused;
}

static inline void
service_make_certificate(void)
{
    EVP_PKEY *key = NULL;
    char reason[256];
    int fd;
    FILE *file;

    ck_assert(doip_certificate_make("0.DOIP/test", hosts, &key, &service.certificate, reason,
                                    sizeof(reason)));
    service.context = SSL_CTX_new(TLS_server_method());
    ck_assert(doip_tls_prepare(service.context, "1.2"));
    SSL_CTX_use_certificate(service.context, service.certificate);
    SSL_CTX_use_PrivateKey(service.context, key);
    EVP_PKEY_free(key);
    strcpy(service.file, "/tmp/doip-client-XXXXXX");
    fd = mkstemp(service.file);
    file = fdopen(fd, "w");
    PEM_write_X509(file, service.certificate);
    fclose(file);
}

static inline void
service_start(behaviour behave)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    service_make_certificate();
    service.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(service.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(service.listener, 5), 0);
    getsockname(service.listener, (struct sockaddr *)&address, &size);
    service.port = ntohs(address.sin_port);
    service.behave = behave;
    ck_assert_int_eq(pthread_create(&service.thread, NULL, service_run, NULL), 0);
}

static inline void
service_stop(void)
{
    shutdown(service.listener, SHUT_RDWR);
    pthread_join(service.thread, NULL);
    close(service.listener);
    unlink(service.file);
    SSL_CTX_free(service.context);
    X509_free(service.certificate);
}

static inline void
say(doip_stream *stream, const char *text)
{
    ck_assert_int_eq(doip_stream_write_all(stream, text, strlen(text)), 0);
}

static inline void
swallow(doip_stream *stream)
{
    char buffer[4096];

    while (doip_stream_read(stream, buffer, sizeof(buffer)) > 0)
        continue;
}

#endif
