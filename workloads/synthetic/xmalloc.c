/*
 * xmalloc: pure producers and consumers. Half of the threads only allocate, in batches that they
 * put on a queue; the other half takes batches and only frees. It imitates a pipeline (a reader, a
 * logger) and stresses frees by a thread that never allocates: caches of freed blocks fill up on
 * the wrong side and have to flow back. It does not show whether consumers find the data in their
 * cache: they look at both ends of each block, no more.
 * Source: xmalloc-test by Lever and Boreham, as SuperMalloc (Kuszmaul, ISMM 2015) has it.
 */
#include "workloads/worker.h"

#include <sched.h>

enum {
    BATCH = 256,  /* blocks that change hands at once; arbitrary */
    BATCHES = 16, /* on the way between a producer and a consumer; arbitrary, a power of two */
    LOW = 4,      /* powers of two: 16 to 511 bytes */
    HIGH = 9
};

struct batch {
    struct piece pieces[BATCH];
};

/* A ring between one producer and one consumer; each end counts up for ever. */
struct queue {
    alignas(WORKER_APART) _Atomic uint64_t put;
    alignas(WORKER_APART) _Atomic uint64_t taken;
    atomic_bool closed; /* the producer puts no more */
    struct batch batches[BATCHES];
};

/* Workers 2n and 2n + 1 have a queue; if the number is odd, the last one serves itself. */
static void xmalloc_prepare(struct worker *workers)
{
    unsigned threads = workers->options->threads;
    for (unsigned i = 0; i < threads; i++)
        workers[i].state = i % 2 == 0 ? worker_table(sizeof(struct queue)) : workers[i - 1].state;
}

static void produce(struct worker *worker, struct batch *batch)
{
    for (size_t i = 0; i < BATCH; i++) {
        size_t size = prng_log_uniform(&worker->prng, LOW, HIGH);
        batch->pieces[i] = (struct piece){worker_malloc(worker, size), size};
    }
}

static void produce_all(struct worker *worker, struct queue *queue)
{
    while (worker_is_due(worker)) {
        uint64_t put = atomic_load_explicit(&queue->put, memory_order_relaxed);
        while (put - atomic_load_explicit(&queue->taken, memory_order_acquire) == BATCHES)
            sched_yield();
        produce(worker, &queue->batches[put % BATCHES]);
        atomic_store_explicit(&queue->put, put + 1, memory_order_release);
    }
    atomic_store(&queue->closed, true);
}

/* Waits for a batch; false: there will be none. */
static bool await_batch(struct queue *queue, uint64_t taken)
{
    for (;;) {
        bool closed = atomic_load(&queue->closed);
        if (atomic_load_explicit(&queue->put, memory_order_acquire) != taken)
            return true;
        if (closed)
            return false;
        sched_yield();
    }
}

static void consume_all(struct worker *worker, struct queue *queue)
{
    for (uint64_t taken = 0; await_batch(queue, taken); taken++) {
        worker_free_all(worker, queue->batches[taken % BATCHES].pieces, BATCH);
        atomic_store_explicit(&queue->taken, taken + 1, memory_order_release);
    }
}

static void serve_itself(struct worker *worker, struct batch *batch)
{
    while (worker_is_due(worker)) {
        produce(worker, batch);
        worker_free_all(worker, batch->pieces, BATCH);
    }
}

static void xmalloc_run(struct worker *worker)
{
    struct queue *queue = worker->state;
    if (worker->index % 2 == 1)
        consume_all(worker, queue);
    else if (worker->index + 1 == worker->options->threads)
        serve_itself(worker, &queue->batches[0]);
    else
        produce_all(worker, queue);
}

const struct workload workload_xmalloc = {
    .name = "xmalloc",
    .summary = "half of the threads only allocate, the other half only frees",
    .ops = 4000000,
    .threads = 2,
    .threads_least = 2,
    .prepare = xmalloc_prepare,
    .run = xmalloc_run,
};
