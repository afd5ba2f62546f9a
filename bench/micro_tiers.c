/*
 * Micro-benchmarks that aim at one tier of an allocator each: the cache in front, what fills it,
 * what it is emptied into, large blocks, and blocks of a mapping of their own. Where one
 * half of the work is the aim, the other half is done off the clock.
 */
#include "micro.h"
#include "micro_blocks.h"

enum {
    SMALL = 64,
    FEW = 4,      /* fit the cache that a thread has in front: glibc's holds 7 of a size */
    MANY = 10000, /* fit no such cache */
    LARGE = 256 * 1024,
    LARGE_BLOCKS = 16,
    /* Above the largest threshold from which glibc maps a block by itself, 32 MiB. */
    HUGE = 64 * 1024 * 1024
};

static void *blocks[MANY];

static void allocate(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        blocks[i] = checked(malloc(size));
}

static void release(size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
}

/* An iteration is a pair of calls. */
static void cycle(struct micro *micro, size_t count, size_t size)
{
    while (micro_runs(micro, count)) {
        allocate(count, size);
        release(count);
    }
}

MICRO(tier_hot)
{
    cycle(micro, FEW, SMALL);
}

MICRO(tier_large)
{
    cycle(micro, LARGE_BLOCKS, LARGE);
}

MICRO(tier_mapped)
{
    cycle(micro, 1, HUGE);
}

/* An iteration is a malloc of a block that was freed long ago. */
MICRO(tier_refill, .clock = MICRO_MANUAL)
{
    while (micro_runs(micro, MANY)) {
        uint64_t start = clock_ns();
        allocate(MANY, SMALL);
        micro_add_ns(micro, clock_ns() - start);
        release(MANY);
    }
}

/* An iteration is a free. */
MICRO(tier_flush, .clock = MICRO_MANUAL)
{
    while (micro_runs(micro, MANY)) {
        allocate(MANY, SMALL);
        uint64_t start = clock_ns();
        release(MANY);
        micro_add_ns(micro, clock_ns() - start);
    }
}
