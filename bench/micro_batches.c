/*
 * Micro-benchmarks of many live blocks: batches freed in several orders, and replacement at random
 * in a working set. An iteration is one allocation and one free.
 */
#include "micro.h"
#include "micro_blocks.h"
#include "own_memory.h"

enum {
    BATCH = 1000,
    MIXED = 0,        /* in place of a size: all from MIXED_FIRST to MIXED_LAST, at random */
    MIXED_FIRST = 16, /* small blocks, of which programs have the most */
    MIXED_LAST = 512,
    SLOTS = 10000,           /* about 2.6 MB live */
    COLD_SLOTS = 256 * 1024, /* 69 MB live, more than a core's own caches hold */
};

/* The next block's size. */
static size_t size_next(size_t size, uint64_t *seed)
{
    return size != MIXED ? size : MIXED_FIRST + random_below(seed, MIXED_LAST - MIXED_FIRST + 1);
}

/* The places of a batch in the order in which they are freed, and the sizes of its blocks. */
struct batch {
    void *blocks[BATCH];
    size_t sizes[BATCH];
    unsigned order[BATCH];
};

static struct batch batch;

enum order { FIFO, LIFO, RANDOM };

static void batch_prepare(size_t size, enum order order)
{
    uint64_t seed = MICRO_SEED;
    for (unsigned i = 0; i < BATCH; i++) {
        batch.sizes[i] = size_next(size, &seed);
        batch.order[i] = order == LIFO ? BATCH - 1 - i : i;
    }
    for (unsigned i = BATCH - 1; order == RANDOM && i > 0; i--) {
        unsigned j = (unsigned)random_below(&seed, i + 1);
        unsigned kept = batch.order[i];
        batch.order[i] = batch.order[j];
        batch.order[j] = kept;
    }
}

static void batch_run(struct micro *micro, size_t size, enum order order)
{
    batch_prepare(size, order);
    while (micro_runs(micro, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++)
            batch.blocks[i] = checked(malloc(batch.sizes[i]));
        for (unsigned i = 0; i < BATCH; i++)
            free(batch.blocks[batch.order[i]]);
    }
}

MICRO(batch_lifo, .arguments = {MICRO_LIST(64, 1024)})
{
    batch_run(micro, (size_t)micro_argument(micro, 0), LIFO);
}

MICRO(batch_lifo_mixed)
{
    batch_run(micro, MIXED, LIFO);
}

MICRO(batch_fifo, .arguments = {MICRO_LIST(64, 1024)})
{
    batch_run(micro, (size_t)micro_argument(micro, 0), FIFO);
}

MICRO(batch_fifo_mixed)
{
    batch_run(micro, MIXED, FIFO);
}

MICRO(batch_random, .arguments = {MICRO_LIST(64, 1024)})
{
    batch_run(micro, (size_t)micro_argument(micro, 0), RANDOM);
}

MICRO(batch_random_mixed)
{
    batch_run(micro, MIXED, RANDOM);
}

static void slots_fill(void **slots, size_t count, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++)
        *(char *)(slots[i] = checked(malloc(size_next(MIXED, seed)))) = 1;
}

static void slots_empty(void **slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(slots[i]);
}

static void slots_replace(struct micro *micro, void **slots, size_t count, uint64_t *seed)
{
    MICRO_LOOP (micro) {
        void **slot = &slots[random_below(seed, count)];
        free(*slot);
        *(char *)(*slot = checked(malloc(size_next(MIXED, seed)))) = 1;
    }
}

static void replace_run(struct micro *micro, size_t count)
{
    uint64_t seed = MICRO_SEED;
    void **slots = own_memory_map(count * sizeof(*slots));
    if (slots == NULL)
        return micro_fail(micro, "out of memory");
    slots_fill(slots, count, &seed);
    slots_replace(micro, slots, count, &seed);
    slots_empty(slots, count);
    own_memory_unmap(slots, count * sizeof(*slots));
}

/* A slot that is chosen at random gets a new block of random size. */
MICRO(replace)
{
    replace_run(micro, SLOTS);
}

MICRO(replace_cold)
{
    replace_run(micro, COLD_SLOTS);
}
