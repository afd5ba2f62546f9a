/*
 * threadtest and linux-scalability: threads that have nothing to do with each other. In threadtest
 * each makes many blocks of one size and then frees them all, over and over; in linux-scalability
 * each makes a block and frees it at once. They imitate parallel loops, and stress locks and shared
 * counters: with a processor for each thread, twice the threads should do twice the work in the
 * same time. They do not show frees across threads, mixed sizes or fragmentation.
 * Sources: Berger, McKinley, Blumofe and Wilson, "Hoard", ASPLOS 2000; Lever and Boreham, "malloc()
 * Performance in a Multithreaded Linux Environment", USENIX 2000.
 */
#include "workloads/worker.h"

enum {
    BLOCKS = 10000,  /* of a round of threadtest; arbitrary */
    PAIR_BYTES = 512 /* as the second source has it */
};

static void threadtest_prepare(struct worker *workers)
{
    for (unsigned i = 0; i < workers->options->threads; i++)
        workers[i].state = worker_table(BLOCKS * sizeof(struct piece));
}

static void threadtest_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    size_t size = worker->options->size;
    while (worker_is_due(worker)) {
        for (size_t i = 0; i < BLOCKS; i++)
            pieces[i] = (struct piece){worker_malloc(worker, size), size};
        worker_free_all(worker, pieces, BLOCKS);
    }
}

static void pairs_run(struct worker *worker)
{
    size_t size = worker->options->size;
    while (worker_is_due(worker)) {
        char *p = worker_malloc(worker, size);
        worker_free(worker, p, size);
    }
}

const struct workload workload_threadtest = {
    .name = "threadtest",
    .summary = "each thread makes 10,000 blocks of one size and frees them all",
    .size_is = "bytes of a block",
    .size = 64,
    .ops = 12000000,
    .threads = 2,
    .size_least = WORKER_LEAST,
    .prepare = threadtest_prepare,
    .run = threadtest_run,
};

const struct workload workload_linux_scalability = {
    .name = "linux-scalability",
    .summary = "each thread makes a block and frees it at once",
    .size_is = "bytes of a block",
    .size = PAIR_BYTES,
    .ops = 20000000,
    .threads = 2,
    .size_least = WORKER_LEAST,
    .run = pairs_run,
};
