/*
 * mleak: creation and end of threads. A thread is born, makes a few blocks, frees them and dies,
 * and then the next one. It imitates programs that make a thread for each task, and stresses what
 * an allocator sets up for a thread and takes down after it: caches that are never emptied show as
 * memory that grows. It does not show the cost of the calls; most of the time is the system's, and
 * the C library itself calls calloc once a thread, which is not counted here.
 * Source: the test "mleak" of mimalloc-bench.
 */
#include "workloads/worker.h"

/* Arbitrary. */
enum { BLOCKS = 20, LOW = 4, HIGH = 13 };

static void mleak_live(struct worker *worker)
{
    struct piece pieces[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = prng_log_uniform(&worker->prng, LOW, HIGH);
        pieces[i] = (struct piece){worker_malloc(worker, size), size};
    }
    worker_free_all(worker, pieces, BLOCKS);
}

static void mleak_run(struct worker *worker)
{
    while (worker_is_due(worker))
        worker_run_thread(worker, mleak_live);
}

const struct workload workload_mleak = {
    .name = "mleak",
    .summary = "threads that make twenty blocks, free them and end",
    .ops = 400000,
    .threads = 1,
    .run = mleak_run,
};
