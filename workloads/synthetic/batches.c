/*
 * batch-lifo and batch-fifo: blocks of mixed sizes are made in batches and freed in reverse order
 * or in the order they were made. They imitate a parser's stack and a queue of messages. Reverse
 * order is the best case of any free list; the other order is the best case of one that takes from
 * its far end, and touches every block when it has left the cache. They stress the depth of caches
 * of freed blocks and how batches move between their tiers. They do not show fragmentation: the
 * heap is empty between batches. Source: the idea of MicroQuill's sh6bench (SmartHeap), which makes
 * and frees in such orders; sizes are skewed to small ones as there.
 */
#include "workloads/worker.h"

/* 16 bytes to 1 KiB, half of them under 32. */
enum { LOW = 16, HIGH = 1024 };

static void batch_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    for (unsigned i = 0; i < options->threads; i++)
        workers[i].state = worker_table(options->size * sizeof(struct piece));
}

static void batch_make(struct worker *worker, struct piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = prng_pareto(&worker->prng, LOW, HIGH);
        pieces[i] = (struct piece){worker_malloc(worker, size), size};
    }
}

static void lifo_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    size_t n = worker->options->size;
    while (worker_is_due(worker)) {
        batch_make(worker, pieces, n);
        for (size_t i = n; i > 0; i--)
            worker_free(worker, pieces[i - 1].p, pieces[i - 1].size);
    }
}

static void fifo_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    size_t n = worker->options->size;
    while (worker_is_due(worker)) {
        batch_make(worker, pieces, n);
        worker_free_all(worker, pieces, n);
    }
}

const struct workload workload_batch_lifo = {
    .name = "batch-lifo",
    .summary = "batches of mixed sizes, freed in reverse order",
    .size_is = "blocks of a batch",
    .size = 20000,
    .ops = 8000000,
    .threads = 1,
    .prepare = batch_prepare,
    .run = lifo_run,
};

const struct workload workload_batch_fifo = {
    .name = "batch-fifo",
    .summary = "batches of mixed sizes, freed in the order they were made",
    .size_is = "blocks of a batch",
    .size = 20000,
    .ops = 8000000,
    .threads = 1,
    .prepare = batch_prepare,
    .run = fifo_run,
};
