/*
 * larson: a server whose threads bleed. Each worker is a chain of threads: a thread replaces blocks
 * at random in an array, dies, and hands the array to a new thread, which so frees what a dead one
 * made. It imitates a server that ends and starts threads while connections outlive them, and
 * stresses frees across threads and what becomes of the memory of threads that have ended. It does
 * not show false sharing or contention for the same blocks: each array has one thread at a time.
 * Source: Larson and Krishnan, "Memory allocation for long-running server applications", ISMM 1998.
 */
#include "workloads/worker.h"

enum {
    LIFE = 100, /* calls in the life of a thread, for each of its blocks; arbitrary */
    LOW = 8,    /* bytes; as the program is usually run */
    HIGH = 1000
};

struct larson {
    struct piece *pieces;
};

static void larson_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    workers_make_state(workers, sizeof(struct larson));
    for (unsigned i = 0; i < options->threads; i++) {
        struct larson *larson = workers[i].state;
        larson->pieces = worker_table(options->size * sizeof(struct piece));
    }
}

static void larson_live(struct worker *worker)
{
    struct larson *larson = worker->state;
    uint64_t blocks = worker->options->size;
    for (uint64_t end = worker->ops + LIFE * blocks; worker->ops < end && worker_is_due(worker);) {
        size_t at = prng_below(&worker->prng, blocks);
        worker_replace(worker, &larson->pieces[at], prng_between(&worker->prng, LOW, HIGH));
    }
}

static void larson_run(struct worker *worker)
{
    struct larson *larson = worker->state;
    while (worker_is_due(worker))
        worker_run_thread(worker, larson_live);
    worker_free_all(worker, larson->pieces, worker->options->size);
}

const struct workload workload_larson = {
    .name = "larson",
    .summary = "server whose threads end and hand their blocks to new ones",
    .size_is = "blocks of each thread",
    .size = 5000,
    .ops = 10000000,
    .threads = 2,
    .prepare = larson_prepare,
    .run = larson_run,
};
