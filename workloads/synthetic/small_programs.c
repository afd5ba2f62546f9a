/*
 * cfrac-like and espresso-like: the mixes of sizes and lifetimes of two small programs that papers
 * on allocators have used for decades. cfrac factors numbers: a stream of tiny numbers, most of
 * which die at once, beside a few hundred that live on. espresso minimises logic: sets of tens to
 * hundreds of bytes, some of which grow, in covers that are built and dropped as a whole. They
 * stress the fastest path of an allocator and small heaps that fit the cache. They do not show the
 * programs' own work, and the mixes are rough: chosen to be like them, not measured.
 * Source: Zorn and Grunwald, "Empirical Measurements of Six Allocation-intensive C Programs", 1992.
 */
#include "workloads/worker.h"

enum {
    CFRAC_LIVE = 512,    /* numbers that live on */
    CFRAC_TEMPORARY = 6, /* that die at the end of a step */
    COVER_LIVE = 40,     /* covers at once */
    COVER_SETS = 64      /* sets in a cover, at most */
};

static void cfrac_prepare(struct worker *workers)
{
    workers_make_state(workers, CFRAC_LIVE * sizeof(struct piece));
}

/* 8 to 40 bytes: a number of a few digits and its header. */
static size_t number_size(struct prng *prng)
{
    return WORKER_LEAST + 2 * prng_below(prng, 17);
}

static void cfrac_step(struct worker *worker, struct piece *live)
{
    struct piece temporary[CFRAC_TEMPORARY];
    for (size_t i = 0; i < CFRAC_TEMPORARY; i++) {
        size_t size = number_size(&worker->prng);
        temporary[i] = (struct piece){worker_malloc(worker, size), size};
    }
    struct piece *kept = &live[prng_below(&worker->prng, CFRAC_LIVE)];
    worker_free_all(worker, kept, 1);
    *kept = temporary[0];
    worker_free_all(worker, temporary + 1, CFRAC_TEMPORARY - 1);
}

static void cfrac_run(struct worker *worker)
{
    struct piece *live = worker->state;
    while (worker_is_due(worker))
        cfrac_step(worker, live);
    worker_free_all(worker, live, CFRAC_LIVE);
}

/* Sets of one width, and the array of them. */
struct cover {
    struct piece array;
    struct piece sets[COVER_SETS];
};

static void espresso_prepare(struct worker *workers)
{
    workers_make_state(workers, COVER_LIVE * sizeof(struct cover));
}

static void cover_free(struct worker *worker, struct cover *cover)
{
    worker_free_all(worker, cover->sets, COVER_SETS);
    worker_free_all(worker, &cover->array, 1);
}

/* The array grows as the cover does. */
static void cover_make(struct worker *worker, struct cover *cover)
{
    size_t width = 8 * prng_between(&worker->prng, 2, 25);
    size_t sets = prng_between(&worker->prng, 4, COVER_SETS);
    size_t room = 4 * width;
    cover->array = (struct piece){worker_malloc(worker, room), room};
    for (size_t i = 0; i < sets; i++) {
        if ((i + 1) * width > cover->array.size) {
            size_t larger = 2 * cover->array.size;
            cover->array.p = worker_realloc(worker, cover->array.p, cover->array.size, larger);
            cover->array.size = larger;
        }
        cover->sets[i] = (struct piece){worker_malloc(worker, width), width};
    }
}

/* Some sets of a cover are replaced by narrower ones. */
static void cover_reduce(struct worker *worker, struct cover *cover)
{
    for (size_t i = 0; i < COVER_SETS; i += 3)
        if (cover->sets[i].p != NULL)
            worker_replace(worker, &cover->sets[i], WORKER_LEAST + cover->sets[i].size / 2);
}

static void espresso_run(struct worker *worker)
{
    struct cover *covers = worker->state;
    while (worker_is_due(worker)) {
        struct cover *cover = &covers[prng_below(&worker->prng, COVER_LIVE)];
        cover_free(worker, cover);
        cover_make(worker, cover);
        cover_reduce(worker, &covers[prng_below(&worker->prng, COVER_LIVE)]);
    }
    for (size_t i = 0; i < COVER_LIVE; i++)
        cover_free(worker, &covers[i]);
}

const struct workload workload_cfrac_like = {
    .name = "cfrac-like",
    .summary = "tiny numbers, most of which die at once",
    .ops = 15000000,
    .threads = 1,
    .prepare = cfrac_prepare,
    .run = cfrac_run,
};

const struct workload workload_espresso_like = {
    .name = "espresso-like",
    .summary = "sets of 16 to 200 bytes, built and dropped as covers",
    .ops = 8000000,
    .threads = 1,
    .prepare = espresso_prepare,
    .run = espresso_run,
};
