/*
 * Fills a repository with objects that are alike in nothing but kind: books with a title, an author, a year and a summary of words
 * that are as unequally frequent as those of a language. Several threads, through repository.h, so that they share commits.
 *
 * usage: store-fill ROOT FIRST COUNT       makes the objects bench/FIRST and so many after it; prints the seconds that took, and
 *                                          those until the index had them all
 */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "repository.h"

enum { THREADS = 64, WORDS = 20000, NAMES = 5000, SUMMARY = 12 };

static struct repository *repository;
static atomic_long next, end;

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void
fail(const char *why)
{
    fprintf(stderr, "store-fill: %s\n", why);
    exit(1);
}

/* ------------------------------------------------------------------ what is in an object */

static unsigned
chance(unsigned long *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state >> 20);
}

/* A word, the low numbers often: the number is a product of two even chances. */
static void
add_word(char *text, unsigned most, unsigned long *state)
{
    static const char *const syllables[] = {"ba", "de", "fi", "go", "hu", "ka", "le", "mi",
                                            "no", "pu", "ra", "se", "ti", "vo", "zu", "xy"};
    unsigned number =
        (unsigned)((unsigned long long)(chance(state) % most) * (chance(state) % 65536) / 65536) +
        1;

    if (*text != '\0')
        strcat(text, " ");
    for (number += 256; number > 0; number >>= 4)
        strcat(text, syllables[number & 15]);
}

static json_t *
make_object(long number)
{
    static const char *const types[] = {"Book", "Book", "Book", "Article"};
    unsigned long state = (unsigned long)number * 0x9e3779b97f4a7c15ul + 1;
    char title[128] = "", name[64] = "", summary[512] = "";

    for (int i = 0; i < 8; i++)
        chance(&state);
    for (int i = 0; i < 4; i++)
        add_word(title, WORDS, &state);
    add_word(name, NAMES, &state);
    for (int i = 0; i < SUMMARY; i++)
        add_word(summary, WORDS, &state);
    return json_pack("{s:s, s:{s:{s:s, s:[{s:s}], s:i, s:i, s:s}}}", "type",
                     types[chance(&state) % 4], "attributes", "content", "title", title, "author",
                     "lastName", name, "year", (int)(1500 + chance(&state) % 526), "serial",
                     (int)number, "summary", summary);
}

/* ------------------------------------------------------------------ threads */

static void *
run(void *closure)
{
    long number;

    while ((number = atomic_fetch_add(&next, 1)) < atomic_load(&end)) {
        struct repository_change *change = repository_change_new(repository, NULL);
        json_t *object = make_object(number), *stored = NULL;
        struct failure failure = {.text = "memory is short"};
        char id[32];

        snprintf(id, sizeof id, "bench/%ld", number);
        if (change == NULL || object == NULL ||
            repository_create(change, id, object, &stored, &failure) != REPOSITORY_OK)
            fail(failure.text);
        json_decref(stored);
        json_decref(object);
        repository_change_free(&change);
    }
    return closure;
}

int
main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    struct failure failure;
    double start = now(), made;

    if (argc != 4) {
        fputs("usage: store-fill ROOT FIRST COUNT\n", stderr);
        return 2;
    }
    repository = repository_open(argv[1], &failure);
    if (repository == NULL)
        fail(failure.text);
    atomic_store(&next, strtol(argv[2], NULL, 10));
    atomic_store(&end, strtol(argv[2], NULL, 10) + strtol(argv[3], NULL, 10));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    made = now() - start;
    repository_settle(repository);
    printf("%.1f %.1f\n", made, now() - start);
    repository_close(&repository);
    return 0;
}
