/*
 * What one step does: the call of malloc's family and the writes to the block, on a table of slots.
 * Inline, for the loops that replay: a decision that is the same for all steps is taken by a
 * constant argument, not once a step.
 */
#ifndef BENCH_STEP_CALL_H
#define BENCH_STEP_CALL_H

#include "step.h"

#include <stdlib.h>
#include <string.h>

/* Which bytes of a new block (of a resized one: which of its new bytes) are written to. */
enum touch {
    TOUCH_NONE,
    TOUCH_FIRST, /* the first byte of the block */
    TOUCH_PAGE,  /* the first byte of the block, and of each 4 KiB page that begins inside it */
    TOUCH_ALL,
    TOUCH_RECORDED, /* TOUCH_PAGE of as much as the program touched: touched.h */
};

/* A block of the replay: NULL and 0 while the slot is empty. */
struct slot {
    void *p;
    size_t size; /* requested bytes */
};

/* Bytes; what counts as a page, on all machines, so that the same trace is the same work. It is the
   smallest there is: larger ones are written to several times. */
enum { TOUCH_STEP = 4096 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The call of a step that makes a block in another way than malloc and realloc do. Takes values,
   so that the loop keeps its step in registers. NULL on failure. */
void *step_make_rare(enum trace_kind kind, size_t size, size_t operand);

/* Writes to bytes [from, to) of the block at p as the policy says. */
ALWAYS_INLINE void touch_bytes(char *p, size_t from, size_t to, enum touch touch)
{
    if (touch == TOUCH_NONE || from >= to)
        return;
    if (touch == TOUCH_ALL) {
        memset(p + from, 1, to - from);
        return;
    }
    if (from == 0)
        *(volatile char *)p = 1;
    if (touch == TOUCH_FIRST)
        return;
    char *page =
        (char *)(((uintptr_t)p + from + TOUCH_STEP - (from > 0)) & ~(uintptr_t)(TOUCH_STEP - 1));
    for (; page < p + to; page += TOUCH_STEP)
        *(volatile char *)page = 1;
}

/*
 * Executes the step at *at and moves *at behind it; *change is by how many requested bytes more
 * live. false where the call returned NULL for more than zero bytes: *at stays, nothing was
 * changed.
 */
ALWAYS_INLINE bool step_call(struct slot *table, const uint64_t **at, enum touch touch,
                             int64_t *change)
{
    struct slot *slot = &table[step_slot(**at)];
    if (step_kind(**at) == TRACE_FREE) {
        free(slot->p);
        *change = -(int64_t)slot->size;
        *slot = (struct slot){NULL, 0};
        ++*at;
        return true;
    }
    const uint64_t *next = *at;
    struct step step = step_take(&next);
    size_t bytes = step_bytes(&step);
    char *p;
    if (step.kind == TRACE_MALLOC)
        p = malloc(bytes);
    else if (step.kind == TRACE_REALLOC)
        p = realloc(slot->p, bytes);
    else
        p = step_make_rare(step.kind, step.size, step.operand);
    /* NULL for no bytes is as good an answer as any. */
    if (__builtin_expect(p == NULL && bytes > 0, 0))
        return false;
    touch_bytes(p, step.kind == TRACE_REALLOC ? slot->size : 0, bytes, touch);
    *change = (int64_t)(bytes - slot->size);
    *slot = (struct slot){p, bytes};
    *at = next;
    return true;
}

#endif
