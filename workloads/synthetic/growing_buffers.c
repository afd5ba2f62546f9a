/*
 * vector, string-builder and rope: three ways to collect what comes in bit by bit. vector is a
 * buffer that doubles by realloc; string-builder grows by realloc to just what is needed, with a
 * hundred of them growing in turn; rope is a list of pieces, freed in order at the end. They
 * imitate the containers of most languages, and stress realloc: whether it grows in place, how much
 * it copies, and what the outgrown buffers leave behind. They do not show the time to fill the
 * buffers: only the ends and one byte a page are written. No single source; the growth of a vector
 * by two is what libstdc++ does.
 */
#include "workloads/worker.h"

enum {
    VECTOR_LOW = 64,
    BUILDERS = 100, /* that grow side by side; arbitrary, like the sizes */
    BUILDER_MOST = 16384,
    APPEND_MOST = 200,
    ROPE_LOW = 32,
    ROPE_HIGH = 2048
};

static void vector_run(struct worker *worker)
{
    while (worker_is_due(worker)) {
        size_t most = prng_log_uniform(&worker->prng, 7, 22);
        size_t size = VECTOR_LOW;
        char *p = worker_malloc(worker, size);
        for (; size < most; size *= 2)
            p = worker_realloc(worker, p, size, 2 * size);
        worker_free(worker, p, size);
    }
}

static void builder_prepare(struct worker *workers)
{
    workers_make_state(workers, BUILDERS * sizeof(struct piece));
}

static void builder_append(struct worker *worker, struct piece *piece)
{
    size_t size = piece->size + prng_between(&worker->prng, WORKER_LEAST, APPEND_MOST);
    piece->p = piece->p == NULL ? worker_malloc(worker, size)
                                : worker_realloc(worker, piece->p, piece->size, size);
    piece->size = size;
}

static void builder_run(struct worker *worker)
{
    struct piece *pieces = worker->state;
    while (worker_is_due(worker)) {
        struct piece *piece = &pieces[prng_below(&worker->prng, BUILDERS)];
        builder_append(worker, piece);
        if (piece->size > BUILDER_MOST)
            worker_free_all(worker, piece, 1);
    }
    worker_free_all(worker, pieces, BUILDERS);
}

/* A piece of a rope; what follows is text. */
struct strand {
    struct strand *next;
    size_t size;
};

static size_t rope_free(struct worker *worker, struct strand *first)
{
    size_t freed = 0;
    while (first != NULL) {
        struct strand *next = first->next;
        freed++;
        worker_free_plain(worker, first, first->size);
        first = next;
    }
    return freed;
}

static void rope_run(struct worker *worker)
{
    size_t strands = worker->options->size;
    while (worker_is_due(worker)) {
        struct strand *first = NULL;
        struct strand **end = &first;
        for (size_t i = 0; i < strands; i++) {
            size_t size = prng_pareto(&worker->prng, ROPE_LOW, ROPE_HIGH);
            struct strand *strand = worker_malloc_plain(worker, size);
            *strand = (struct strand){NULL, size};
            block_touch((char *)strand, 0, size);
            *end = strand;
            end = &strand->next;
        }
        size_t freed = rope_free(worker, first);
        if (freed != strands)
            worker_fail("a rope of %zu piece%s had %zu when it was freed", strands, plural(strands),
                        freed);
    }
}

const struct workload workload_vector = {
    .name = "vector",
    .summary = "buffers that double by realloc, to 4 MiB at most",
    .ops = 150000,
    .threads = 1,
    .run = vector_run,
};

const struct workload workload_string_builder = {
    .name = "string-builder",
    .summary = "a hundred strings that grow in turn by realloc, to 16 KiB each",
    .ops = 1500000,
    .threads = 1,
    .prepare = builder_prepare,
    .run = builder_run,
};

const struct workload workload_rope = {
    .name = "rope",
    .summary = "lists of pieces that are made one by one and freed at the end",
    .size_is = "pieces of a rope",
    .size = 50000,
    .ops = 5000000,
    .threads = 1,
    .run = rope_run,
};
