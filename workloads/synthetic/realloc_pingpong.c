/*
 * realloc-pingpong: blocks whose size goes back and forth across a border: 16 bytes below a power
 * of two and 16 above, from 64 bytes to 1 MiB. It imitates buffers that hover round a limit. An
 * allocator with size classes, or with a threshold beyond which blocks come straight from the
 * system, may copy the block each time; one that resizes in place need not. It does not show steady
 * growth, which is what most programs do (vector, string-builder). No source: a known weak spot.
 */
#include "workloads/worker.h"

enum {
    BLOCKS = 200, /* arbitrary, like the rest */
    LOW = 6,      /* powers of two: the borders */
    HIGH = 20,
    BEYOND = 16
};

static void pingpong_prepare(struct worker *workers)
{
    workers_make_state(workers, BLOCKS * sizeof(struct piece));
}

/* Each border has as many blocks; large ones are resized as often as small ones. */
static size_t border_of(size_t i)
{
    return (size_t)1 << (LOW + i % (HIGH - LOW + 1));
}

static void pingpong_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = border_of(i) - BEYOND;
        pieces[i] = (struct piece){worker_malloc(worker, size), size};
    }
    while (worker_is_due(worker)) {
        size_t at = prng_below(&worker->prng, BLOCKS);
        struct piece *piece = &pieces[at];
        size_t size = 2 * border_of(at) - piece->size;
        piece->p = worker_realloc(worker, piece->p, piece->size, size);
        piece->size = size;
    }
    worker_free_all(worker, pieces, BLOCKS);
}

const struct workload workload_realloc_pingpong = {
    .name = "realloc-pingpong",
    .summary = "sizes that go back and forth across powers of two",
    .ops = 1000000,
    .threads = 1,
    .prepare = pingpong_prepare,
    .run = pingpong_run,
};
