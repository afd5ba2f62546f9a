/*
 * heap-shuffle: many small live blocks, of which half, chosen at random, are freed and then made
 * anew, over and over. It imitates a cache or an index that is never empty. Blocks that are next to
 * each other when the heap is young are strangers soon, so it stresses how free memory that is
 * scattered all over the heap is found again, with a working set far larger than the processor's
 * caches. It does not show large blocks nor memory that could be given back: there is none.
 * Source: the mixing of the heap in Berger et al., "Mesh", PLDI 2019, and long known as "aging".
 */
#include "workloads/worker.h"

enum { LOW = 16, HIGH = 160 }; /* bytes; arbitrary, small */

static void shuffle_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    for (unsigned i = 0; i < options->threads; i++)
        workers[i].state = worker_table(options->size * sizeof(struct piece));
}

static void swap(struct piece *a, struct piece *b)
{
    struct piece piece = *a;
    *a = *b;
    *b = piece;
}

/* Brings n blocks of `all`, chosen at random, to the front. */
static void shuffle_front(struct prng *prng, struct piece *pieces, size_t n, size_t all)
{
    for (size_t i = 0; i < n; i++)
        swap(&pieces[i], &pieces[prng_between(prng, i, all - 1)]);
}

static void fill(struct worker *worker, struct piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = prng_between(&worker->prng, LOW, HIGH);
        pieces[i] = (struct piece){worker_malloc(worker, size), size};
    }
}

static void shuffle_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    size_t all = worker->options->size;
    fill(worker, pieces, all);
    while (worker_is_due(worker)) {
        shuffle_front(&worker->prng, pieces, all / 2, all);
        worker_free_all(worker, pieces, all / 2);
        fill(worker, pieces, all / 2);
    }
    worker_free_all(worker, pieces, all);
}

const struct workload workload_heap_shuffle = {
    .name = "heap-shuffle",
    .summary = "many small live blocks; half of them, chosen at random, is renewed",
    .size_is = "live blocks",
    .size = 200000,
    .ops = 3000000,
    .threads = 1,
    .size_least = 2,
    .prepare = shuffle_prepare,
    .run = shuffle_run,
};
