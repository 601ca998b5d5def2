/*
 * Sets of numbers (set.h). Pure functions, any thread.
 */
#include "set.h"

#include <stdlib.h>

#include "memory_file.h"

struct set {
    bool turned;
    size_t count;
    uint64_t words[];
};

struct set *
set_new(int64_t most)
{
    size_t count = (size_t)most / 64 + 1;
    struct set *set = calloc(1, sizeof(*set) + count * sizeof(set->words[0]));

    if (set != NULL)
        set->count = count;
    return set;
}

void
set_free(struct set **set)
{
    free(*set);
    *set = NULL;
}

void
set_add(struct set *set, int64_t number)
{
    if (number >= 0 && (size_t)number / 64 < set->count)
        set->words[number / 64] |= UINT64_C(1) << number % 64;
}

bool
set_has(const struct set *set, int64_t number)
{
    bool bit = number >= 0 && (size_t)number / 64 < set->count &&
               (set->words[number / 64] >> number % 64 & 1) != 0;

    return bit != set->turned;
}

void
set_turn(struct set *set)
{
    set->turned = !set->turned;
}

bool
set_is_turned(const struct set *set)
{
    return set->turned;
}

/* The bits of both, of one of them, or of the first without the second. */
enum join { JOIN_AND, JOIN_OR, JOIN_WITHOUT };

static void
set_join(struct set *set, const struct set *other, enum join join)
{
    for (size_t i = 0; i < set->count; i++) {
        if (join == JOIN_AND)
            set->words[i] &= other->words[i];
        else if (join == JOIN_OR)
            set->words[i] |= other->words[i];
        else
            set->words[i] &= ~other->words[i];
    }
}

void
set_and(struct set **set, struct set **other)
{
    if ((*set)->turned && !(*other)->turned) {
        struct set *first = *set;

        *set = *other;
        *other = first;
    }
    if ((*set)->turned)
        set_join(*set, *other, JOIN_OR);
    else
        set_join(*set, *other, (*other)->turned ? JOIN_WITHOUT : JOIN_AND);
    set_free(other);
}

void
set_or(struct set **set, struct set **other)
{
    set_turn(*set);
    set_turn(*other);
    set_and(set, other);
    set_turn(*set);
}

uint64_t
set_bits(const struct set *set)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < set->count; i++)
        bits += (uint64_t)__builtin_popcountll(set->words[i]);
    return bits;
}

int64_t
set_next(const struct set *set, int64_t from)
{
    size_t word = (size_t)from / 64;
    uint64_t left;

    if (word >= set->count)
        return -1;
    left = set->words[word] & ~UINT64_C(0) << from % 64;
    while (left == 0) {
        if (++word == set->count)
            return -1;
        left = set->words[word];
    }
    return (int64_t)(word * 64) + __builtin_ctzll(left);
}

char *
set_text(const struct set *set)
{
    char *text = NULL;
    size_t size;
    FILE *file = memory_file(&text, &size);
    int64_t number = -1;

    if (file == NULL)
        return NULL;
    fputs("[", file);
    for (int i = 0; (number = set_next(set, number + 1)) >= 0; i++)
        fprintf(file, "%s%lld", i > 0 ? "," : "", (long long)number);
    fputs("]", file);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}
