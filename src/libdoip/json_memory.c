/*
 * Jansson 2.14 can't be trusted when memory is short: where its buffer for a token can't grow, it drops a byte and goes on (the value is another
 * one), or runs past the end if that byte was the closing quote. So a parse is left where it asks for memory in vain. What it has
 * by then it can't give back itself: hence a set of the blocks that it has, by their addresses. See json_memory.h.
 */
#include "json_memory.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

enum { FIRST = 128 }; /* slots; a power of two, as is what follows */

/* A hash table with linear probing; NULL: never used. */
struct watch {
    jmp_buf out;
    void **slots;
    size_t room;
    size_t used; /* those of blocks that are gone are, too */
    void *first[FIRST];
};

static char gone; /* in the slot of such a block */

/* Of the calling thread, while it parses. */
static _Thread_local struct watch *watching;

static json_malloc_t given_malloc;
static json_free_t given_free;

/* The slot of a block, or the one to put it into. */
static void **
slot_of(void **slots, size_t room, const void *block)
{
    size_t at = (size_t)(((uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20);

    for (;; at++)
        if (slots[at & (room - 1)] == block || slots[at & (room - 1)] == NULL)
            return &slots[at & (room - 1)];
}

static bool
is_block(const void *slot)
{
    return slot != NULL && slot != &gone;
}

/* Into a table of twice the room, or of the same where most of what is used is gone. False: no memory. */
static bool
grow(struct watch *watch)
{
    size_t there = 0, room;
    void **slots;

    for (size_t i = 0; i < watch->room; i++)
        there += is_block(watch->slots[i]);
    room = there > watch->room / 4 ? 2 * watch->room : watch->room;
    slots = calloc(room, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < watch->room; i++)
        if (is_block(watch->slots[i]))
            *slot_of(slots, room, watch->slots[i]) = watch->slots[i];
    if (watch->slots != watch->first)
        free(watch->slots);
    watch->slots = slots;
    watch->room = room;
    watch->used = there;
    return true;
}

static bool
add(struct watch *watch, void *block)
{
    if (watch->used >= watch->room / 2 && !grow(watch))
        return false;
    watch->used++;
    *slot_of(watch->slots, watch->room, block) = block;
    return true;
}

static void *
get_memory(size_t size)
{
    struct watch *watch = watching;
    void *block = given_malloc(size);

    if (watch == NULL || (block != NULL && add(watch, block)))
        return block;
    given_free(block);
    longjmp(watch->out, 1);
}

static void
give_back(void *block)
{
    void **slot = watching != NULL ? slot_of(watching->slots, watching->room, block) : NULL;

    if (slot != NULL && block != NULL && *slot == block)
        *slot = &gone;
    given_free(block);
}

static void
watch_all(void)
{
    json_get_alloc_funcs(&given_malloc, &given_free);
    json_set_alloc_funcs(get_memory, give_back);
}

/* Of its own, since what a function with setjmp() changes of its variables is not to be relied on after the jump. */
static bool
run(struct watch *watch, void (*parse)(void *closure), void *closure)
{
    if (_setjmp(watch->out) != 0)
        return false;
    watching = watch;
    parse(closure);
    return true;
}

bool
json_memory_watch(void (*parse)(void *closure), void *closure)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct watch watch = {.room = FIRST};
    bool done;

    pthread_once(&once, watch_all);
    watch.slots = watch.first;
    done = run(&watch, parse, closure);
    watching = NULL;
    for (size_t i = 0; i < watch.room && !done; i++)
        if (is_block(watch.slots[i]))
            given_free(watch.slots[i]);
    if (watch.slots != watch.first)
        free(watch.slots);
    return done;
}
