/*
 * TLS session ticket keys: see tickets.h. The callback runs in workers' threads, during handshakes; the master alone writes, under
 * a sequence number that readers check (odd while writing). The keys are kept as atomic words: so the copy that a reader throws away is
 * no data race either.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "tickets.h"

enum {
    NAME = 16,
    CIPHER_KEY = 32,
    MAC_KEY = 32,
    READS_MOST = 10000, /* a master that was stopped in the middle of a turn must not hold a handshake for ever */
};

struct key {
    unsigned char name[NAME];
    unsigned char cipher[CIPHER_KEY];
    unsigned char mac[MAC_KEY];
};

struct pair {
    struct key now;
    struct key last;
};

enum { WORDS = sizeof(struct pair) / sizeof(uint64_t) };
_Static_assert(sizeof(struct pair) == WORDS * sizeof(uint64_t), "the keys are whole words");

struct keys {
    atomic_uint sequence;
    _Atomic(uint64_t) words[WORDS]; /* a struct pair */
};

static struct keys *keys;

/* Each load acquires, so that the sequence number read after it is no older than the word. */
static void
load(struct pair *pair)
{
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t word = atomic_load_explicit(&keys->words[i], memory_order_acquire);

        memcpy((char *)pair + i * sizeof word, &word, sizeof word);
    }
}

/* Each store releases, so that no word is seen before the odd sequence number. */
static void
store(const struct pair *pair)
{
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t word;

        memcpy(&word, (const char *)pair + i * sizeof word, sizeof word);
        atomic_store_explicit(&keys->words[i], word, memory_order_release);
    }
}

bool
tickets_init(void)
{
    void *page = mmap(NULL, sizeof *keys, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return false;
    keys = page;
    madvise(keys, sizeof *keys, MADV_DONTDUMP);
    return tickets_turn() && tickets_turn();
}

bool
tickets_turn(void)
{
    struct pair pair;
    bool done;

    load(&pair);
    pair.last = pair.now;
    done = RAND_bytes((unsigned char *)&pair.now, sizeof pair.now) == 1;
    if (done) {
        atomic_fetch_add(&keys->sequence, 1);
        store(&pair);
        atomic_fetch_add(&keys->sequence, 1);
    }
    OPENSSL_cleanse(&pair, sizeof pair);
    return done;
}

void
tickets_protect(void)
{
    mprotect(keys, sizeof *keys, PROT_READ);
}

/* A whole copy of both keys, whatever the master does meanwhile. */
static bool
read_keys(struct pair *pair)
{
    for (int i = 0; i < READS_MOST; i++) {
        unsigned before = atomic_load(&keys->sequence);

        load(pair);
        if ((before & 1) == 0 && before == atomic_load(&keys->sequence))
            return true;
        sched_yield();
    }
    return false;
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

/* OpenSSL's contract. */
enum { FAILED = -1, UNKNOWN = 0, USE = 1, USE_AND_RENEW = 2 };

/* Clients of TLS 1.3 use a ticket once (RFC 8446, C.4): with no new one for it, their next handshake would be a full one. */
static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    int use = SSL_version(ssl) == TLS1_3_VERSION ? USE_AND_RENEW : USE;
    struct pair pair;
    int result = UNKNOWN;

    if (!read_keys(&pair)) {
        result = seal ? FAILED : UNKNOWN;
    } else if (seal) {
        memcpy(name, pair.now.name, NAME);
        result = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && arm(&pair.now, iv, cipher, mac, true) ? USE : FAILED;
    } else if (CRYPTO_memcmp(name, pair.now.name, NAME) == 0) {
        result = arm(&pair.now, iv, cipher, mac, false) ? use : FAILED;
    } else if (CRYPTO_memcmp(name, pair.last.name, NAME) == 0) {
        result = arm(&pair.last, iv, cipher, mac, false) ? USE_AND_RENEW : FAILED;
    }
    OPENSSL_cleanse(&pair, sizeof pair);
    return result;
}

void
tickets_install(SSL_CTX *context)
{
    static const unsigned char id[] = "doipd";

    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* OpenSSL would give two, for browsers that open several connections at once: a sixteenth of a handshake for each. Every resumption brings a new one. */
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
