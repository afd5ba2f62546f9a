/*
 * large-blocks and calloc-large: blocks of 5 to 25 MiB, made and freed in a loop with a few of them
 * live at once, by malloc and by calloc. They imitate image and matrix work. They stress what an
 * allocator does with memory that it could give back: returning it each time costs page faults by
 * the thousand, keeping it costs memory. With calloc it matters too whether the allocator knows
 * that fresh pages are zero. They do not show anything of small blocks; nearly all time is the
 * system's. Source: the test "malloc-large" of mimalloc-bench, which has these sizes.
 */
#include "workloads/worker.h"

enum { LIVE = 4 }; /* arbitrary */

static const size_t low = (size_t)5 << 20;
static const size_t high = (size_t)25 << 20;

static void large_prepare(struct worker *workers)
{
    workers_make_state(workers, LIVE * sizeof(struct piece));
}

static void large_loop(struct worker *worker, char *(*make)(struct worker *, size_t))
{
    struct piece *pieces = worker->state;
    while (worker_is_due(worker)) {
        struct piece *piece = &pieces[prng_below(&worker->prng, LIVE)];
        worker_free_all(worker, piece, 1);
        size_t size = prng_between(&worker->prng, low, high);
        *piece = (struct piece){make(worker, size), size};
    }
    worker_free_all(worker, pieces, LIVE);
}

static void large_run(struct worker *worker)
{
    large_loop(worker, worker_malloc);
}

static void calloc_large_run(struct worker *worker)
{
    large_loop(worker, worker_calloc);
}

const struct workload workload_large_blocks = {
    .name = "large-blocks",
    .summary = "blocks of 5 to 25 MiB in a loop, four live",
    .ops = 300,
    .threads = 1,
    .prepare = large_prepare,
    .run = large_run,
};

const struct workload workload_calloc_large = {
    .name = "calloc-large",
    .summary = "the same with calloc: does it know that fresh pages are zero?",
    .ops = 200,
    .threads = 1,
    .prepare = large_prepare,
    .run = calloc_large_run,
};
