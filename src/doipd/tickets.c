/*
 * TLS session ticket keys: see tickets.h. The callback runs in workers' threads, during handshakes; the master alone writes, under
 * a sequence number that readers check (odd while writing).
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "tickets.h"

enum { NAME = 16, CIPHER_KEY = 32, MAC_KEY = 32 };

struct key {
    unsigned char name[NAME];
    unsigned char cipher[CIPHER_KEY];
    unsigned char mac[MAC_KEY];
};

struct keys {
    atomic_uint sequence;
    struct key now;
    struct key last;
};

static struct keys *keys;

bool
tickets_init(void)
{
    void *page = mmap(NULL, sizeof *keys, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return false;
    keys = page;
    madvise(keys, sizeof *keys, MADV_DONTDUMP);
    tickets_turn();
    tickets_turn();
    return true;
}

void
tickets_turn(void)
{
    struct key fresh;

    if (RAND_bytes((unsigned char *)&fresh, sizeof fresh) != 1)
        return; /* the old key goes on */
    atomic_fetch_add(&keys->sequence, 1);
    keys->last = keys->now;
    keys->now = fresh;
    atomic_fetch_add(&keys->sequence, 1);
    OPENSSL_cleanse(&fresh, sizeof fresh);
}

void
tickets_protect(void)
{
    mprotect(keys, sizeof *keys, PROT_READ);
}

/* A whole copy of both keys, whatever the master does meanwhile. */
static void
read_keys(struct key *now, struct key *last)
{
    unsigned before, after;

    do {
        before = atomic_load(&keys->sequence);
        *now = keys->now;
        *last = keys->last;
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load(&keys->sequence);
    } while (before != after || (before & 1) != 0);
}

static bool
arm(const struct key *key, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(size_t)key->mac, MAC_KEY),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(size_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1;
}

/* OpenSSL's contract: 1 use it, 2 use it and give a new ticket, 0 unknown ticket, -1 failure. */
static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    struct key now, last;
    int result = 0;

    (void)ssl;
    read_keys(&now, &last);
    if (seal) {
        memcpy(name, now.name, NAME);
        result = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && arm(&now, iv, cipher, mac, true) ? 1 : -1;
    } else if (CRYPTO_memcmp(name, now.name, NAME) == 0) {
        result = arm(&now, iv, cipher, mac, false) ? 1 : -1;
    } else if (CRYPTO_memcmp(name, last.name, NAME) == 0) {
        result = arm(&last, iv, cipher, mac, false) ? 2 : -1;
    }
    OPENSSL_cleanse(&now, sizeof now);
    OPENSSL_cleanse(&last, sizeof last);
    return result;
}

void
tickets_install(SSL_CTX *context)
{
    static const unsigned char id[] = "doipd";

    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
