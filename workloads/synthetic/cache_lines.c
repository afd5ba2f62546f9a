/*
 * cache-thrash and cache-scratch: false sharing. In cache-thrash each thread makes a small block,
 * writes to it many times and frees it: an allocator that gives parts of one cache line to two
 * threads makes each wait for the other (active sharing). In cache-scratch the first blocks were
 * all made by one thread and so do share lines; each thread frees the one it was handed and goes on
 * as above: an allocator that gives it the same memory back lets the sharing go on (passive). They
 * imitate threads that keep counters in small blocks. They do not show the speed of the calls,
 * which the writes hide. Source: Berger, McKinley, Blumofe and Wilson, "Hoard", ASPLOS 2000.
 */
#include "workloads/worker.h"

#include <sched.h>

/* Arbitrary: writes enough that a shared line outweighs the two calls many times over. */
enum { WRITES = 400 };

/* The blocks that one thread makes for all. */
struct handout {
    atomic_bool is_ready;
    char *blocks[]; /* by worker */
};

/* Adds to each byte between the stamps in turn. */
static void write_often(char *p, size_t size)
{
    volatile char *at = p + WORKER_LEAST;
    size_t n = size - WORKER_LEAST - 1;
    for (unsigned i = 0; i < WRITES; i++)
        at[i % n]++;
}

static void thrash_run(struct worker *worker)
{
    size_t size = worker->options->size;
    while (worker_is_due(worker)) {
        char *p = worker_malloc(worker, size);
        write_often(p, size);
        worker_free(worker, p, size);
    }
}

static void scratch_prepare(struct worker *workers)
{
    unsigned threads = workers->options->threads;
    struct handout *handout = worker_table(sizeof(*handout) + threads * sizeof(char *));
    for (unsigned i = 0; i < threads; i++)
        workers[i].state = handout;
}

static void hand_out(struct worker *worker, struct handout *handout)
{
    for (unsigned i = 0; i < worker->options->threads; i++)
        handout->blocks[i] = worker_malloc(worker, worker->options->size);
    atomic_store(&handout->is_ready, true);
}

static void scratch_run(struct worker *worker)
{
    struct handout *handout = worker->state;
    if (worker->index == 0)
        hand_out(worker, handout);
    while (!atomic_load(&handout->is_ready))
        sched_yield();
    char *p = handout->blocks[worker->index];
    write_often(p, worker->options->size);
    worker_free(worker, p, worker->options->size);
    thrash_run(worker);
}

const struct workload workload_cache_scratch = {
    .name = "cache-scratch",
    .summary = "threads write to blocks that one thread made (passive false sharing)",
    .size_is = "bytes of a block",
    .size = 16,
    .ops = 1000000,
    .threads = 2,
    .size_least = WORKER_LEAST + 2,
    .prepare = scratch_prepare,
    .run = scratch_run,
};

const struct workload workload_cache_thrash = {
    .name = "cache-thrash",
    .summary = "threads make a small block each and write to it (active false sharing)",
    .size_is = "bytes of a block",
    .size = 16,
    .ops = 1000000,
    .threads = 2,
    .size_least = WORKER_LEAST + 2,
    .run = thrash_run,
};
