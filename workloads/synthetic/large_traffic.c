/*
 * large-traffic: blocks of 100 KiB to 4 MiB, their sizes log-uniform, come and go: the bytes that
 * are live rise or fall to a new level, chosen at random between a quarter of --size and all of it,
 * and blocks chosen at random are replaced there. After each of them some small blocks are
 * replaced. It imitates servers that load and drop chunks, frames or messages. It stresses how much
 * of what was freed an allocator keeps: returning it costs a page fault for each page of the next
 * block, keeping all of it costs memory. It does not show fragmentation among small blocks. Source:
 * the sizes and the live bytes of a game server that was recorded; all else is arbitrary.
 */
#include "workloads/worker.h"

enum {
    LEAST = 100 << 10,
    LEAST_LOG2 = 16, /* prng_log_uniform takes powers of two: what is below LEAST is drawn again */
    MOST_LOG2 = 22,
    SMALL_LEAST = 16,
    SMALL_MOST = 512,
    SMALL_SLOTS = 1000,
    SMALL_EACH = 32, /* small blocks that are replaced after each call for a large one */
    STEADY = 16,     /* large blocks that are replaced at each level */
};

struct traffic {
    struct piece *large;
    size_t count;
    size_t bytes; /* of the large ones */
    struct piece small[SMALL_SLOTS];
};

static void traffic_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    size_t capacity = (options->size << 20) / LEAST + 1;
    workers_make_state(workers, sizeof(struct traffic));
    for (unsigned i = 0; i < options->threads; i++) {
        struct traffic *traffic = workers[i].state;
        traffic->large = worker_table(capacity * sizeof(struct piece));
    }
}

static size_t large_size(struct prng *prng)
{
    size_t size;
    do
        size = prng_log_uniform(prng, LEAST_LOG2, MOST_LOG2);
    while (size < LEAST);
    return size;
}

static void replace_small(struct worker *worker)
{
    struct traffic *traffic = worker->state;
    for (int i = 0; i < SMALL_EACH; i++) {
        struct piece *piece = &traffic->small[prng_below(&worker->prng, SMALL_SLOTS)];
        worker_replace(worker, piece, prng_between(&worker->prng, SMALL_LEAST, SMALL_MOST));
    }
}

/* False: the block would not fit below the level. */
static bool make_large(struct worker *worker, size_t level)
{
    struct traffic *traffic = worker->state;
    size_t size = large_size(&worker->prng);
    if (traffic->bytes + size > level)
        return false;
    traffic->large[traffic->count++] = (struct piece){worker_malloc(worker, size), size};
    traffic->bytes += size;
    replace_small(worker);
    return true;
}

static void free_large(struct worker *worker)
{
    struct traffic *traffic = worker->state;
    size_t at = prng_below(&worker->prng, traffic->count);
    struct piece piece = traffic->large[at];
    traffic->large[at] = traffic->large[--traffic->count];
    traffic->bytes -= piece.size;
    worker_free(worker, piece.p, piece.size);
    replace_small(worker);
}

static void traffic_run(struct worker *worker)
{
    struct traffic *traffic = worker->state;
    size_t most_kib = worker->options->size << 10;
    while (worker_is_due(worker)) {
        size_t level = prng_between(&worker->prng, most_kib / 4, most_kib) << 10;
        while (traffic->bytes > level)
            free_large(worker);
        while (make_large(worker, level))
            continue;
        for (int i = 0; i < STEADY && traffic->count > 0; i++) {
            free_large(worker);
            make_large(worker, level);
        }
    }
    worker_free_all(worker, traffic->large, traffic->count);
    worker_free_all(worker, traffic->small, SMALL_SLOTS);
}

const struct workload workload_large_traffic = {
    .name = "large-traffic",
    .summary = "blocks of 100 KiB to 4 MiB that come and go as the level rises and falls",
    .size_is = "MiB live in large blocks at the most",
    .size = 64,
    .ops = 300000,
    .threads = 1,
    .size_least = 16, /* a quarter of it has room for the largest block */
    .prepare = traffic_prepare,
    .run = traffic_run,
};
