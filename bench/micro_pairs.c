/*
 * Micro-benchmarks of single calls: a block is allocated and freed at once, so the allocator's
 * shortest path is measured, with everything in the nearest cache. An iteration is a pair of calls.
 */
#include "micro.h"
#include "micro_blocks.h"

#include <malloc.h>

enum { KIB = 1024, MIB = 1024 * KIB };

/* What the loop itself costs, which is in every figure. */
MICRO(empty)
{
    MICRO_LOOP (micro)
        __asm__ volatile("");
}

MICRO(pair, .arguments = {MICRO_LIST(8, 16, 32, 64, 128, 256, 512, KIB, 2 * KIB, 4 * KIB, 8 * KIB,
                                     16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB,
                                     MIB, 2 * MIB, 4 * MIB)})
{
    size_t size = (size_t)micro_argument(micro, 0);
    MICRO_LOOP (micro)
        free(checked(malloc(size)));
}

/* With a byte written to each page, so that page faults show. */
MICRO(pair_touched, .arguments = {MICRO_LIST(4 * KIB, 64 * KIB, MIB, 4 * MIB)})
{
    size_t size = (size_t)micro_argument(micro, 0);
    MICRO_LOOP (micro)
        free(touched(checked(malloc(size)), size));
}

MICRO(calloc_pair, .arguments = {MICRO_LIST(16, 256, 4 * KIB, 64 * KIB, MIB)})
{
    size_t size = (size_t)micro_argument(micro, 0);
    MICRO_LOOP (micro)
        free(checked(calloc(1, size)));
}

/* alignment, size */
MICRO(aligned_pair, .arguments = {MICRO_LIST(32, 64, 256, 4 * KIB), MICRO_LIST(64, 4 * KIB)})
{
    size_t alignment = (size_t)micro_argument(micro, 0);
    size_t size = (size_t)micro_argument(micro, 1);
    MICRO_LOOP (micro) {
        void *p = NULL;
        if (posix_memalign(&p, alignment, size) != 0)
            return micro_fail(micro, "posix_memalign failed");
        free(checked(p));
    }
}

/* One call on a block that stays. */
MICRO(usable_size, .arguments = {MICRO_LIST(64, 4 * KIB, MIB)})
{
    void *p = checked(malloc((size_t)micro_argument(micro, 0)));
    MICRO_LOOP (micro) {
        size_t usable = malloc_usable_size(checked(p));
        __asm__ volatile("" : : "r"(usable));
    }
    free(p);
}
