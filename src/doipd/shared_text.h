/*
 * Short texts in shared memory, kept as atomic words because one process writes them while another reads. What is read ends within its
 * room, whatever a writer put there. Any process, any thread.
 */
#ifndef DOIPD_SHARED_TEXT_H
#define DOIPD_SHARED_TEXT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Writes at most `size` - 1 bytes of `text` and a NUL; `size` is a multiple of 8. Each store releases: who sees a word also sees what was
 * stored before it. */
static inline void
shared_text_store(_Atomic(uint64_t) *words, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1); /* -fanalyzer: no further than the text's own NUL */

    for (size_t i = 0; i <= length / 8; i++) {
        size_t left = length - i * 8;
        uint64_t word = 0;

        memcpy(&word, text + i * 8, left < 8 ? left : 8);
        atomic_store_explicit(&words[i], word, memory_order_release);
    }
}

/* Reads into `text`, which has `size` bytes and is NUL-terminated. */
static inline void
shared_text_load(const _Atomic(uint64_t) *words, char *text, size_t size)
{
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);

        memcpy(text + i * 8, &word, 8);
    }
    text[size - 1] = '\0';
}

#endif
