/*
 * A model of the heap: random operations on a struct heap, compared with a table of what must be
 * true of every live block. Draws from a seed, so that a failure can be run again.
 */
#ifndef TESTS_SHADOW_H
#define TESTS_SHADOW_H

#include "allocator/heap.h"

#include <stdint.h>

enum { SHADOW_MESSAGE_MAX = 512 };

struct shadow_plan {
    uint64_t seed;
    unsigned ops;
    unsigned slots;       /* most blocks live at once */
    size_t request_max;   /* sizes are drawn log-uniformly up to here */
    unsigned check_every; /* heap_check after so many operations; 0: never */
    bool out_of_memory;   /* the heap may run out of memory (NULL is no failure) */
};

/*
 * Runs the plan on the heap and frees everything. Verified after each operation: alignment, no
 * overlap with any other live block (by content), contents kept, calloc zeroed, realloc keeps the
 * prefix, usable size. false: what went wrong, with the seed and operation, is in message.
 */
bool shadow_run(struct heap *heap, const struct shadow_plan *plan,
                char message[SHADOW_MESSAGE_MAX]);

#endif
