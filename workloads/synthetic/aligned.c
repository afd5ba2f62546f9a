/*
 * aligned: random replacement of blocks with an alignment, from a cache line to 2 MiB, small ones
 * being more frequent. It imitates vector code, direct I/O and huge pages, and stresses what is
 * lost in front of an aligned block and whether that is used for others. It does not show
 * aligned blocks among many plain ones. No single source; the two extremes are what programs ask
 * posix_memalign for.
 */
#include "workloads/worker.h"

enum { LOW = 6, HIGH = 21 }; /* powers of two: 64 bytes and 2 MiB */

static void aligned_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    for (unsigned i = 0; i < options->threads; i++)
        workers[i].state = worker_table(options->size * sizeof(struct piece));
}

/* Each power of two is half as likely as the one below it. */
static size_t alignment_of(struct prng *prng)
{
    unsigned zeros = (unsigned)__builtin_ctzll(prng_next(prng) | (uint64_t)1 << (HIGH - LOW));
    return (size_t)1 << (LOW + zeros);
}

static void aligned_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    uint64_t slots = worker->options->size;
    while (worker_is_due(worker)) {
        struct piece *piece = &pieces[prng_below(&worker->prng, slots)];
        worker_free_all(worker, piece, 1);
        size_t size = prng_log_uniform(&worker->prng, 5, 14);
        piece->p = worker_aligned(worker, alignment_of(&worker->prng), size);
        piece->size = size;
    }
    worker_free_all(worker, pieces, slots);
}

const struct workload workload_aligned = {
    .name = "aligned",
    .summary = "blocks aligned to 64 bytes up to 2 MiB, replaced at random",
    .size_is = "slots of each thread",
    .size = 1000,
    .ops = 1000000,
    .threads = 1,
    .prepare = aligned_prepare,
    .run = aligned_run,
};
