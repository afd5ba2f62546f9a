/*
 * page-pins: one small block is kept in each page. The allowance is filled with blocks of 64 bytes,
 * all but the first one in each page are freed, and what that makes room for is asked for in blocks
 * of a page, which fit no gap. It imitates a program that leaves a few long-lived blocks behind
 * each burst, and shows that live bytes are one thing and pages another: nothing can be given back
 * and nothing can be used again. It says little of speed. Any allocator that does not move blocks
 * needs the first filling and the second: M + (M - kept), with one block kept in each 4096 bytes.
 * Source: the argument in Wilson et al., "Dynamic Storage Allocation", IWMM 1995, on how few
 * survivors pin a heap; Mesh (Berger et al., PLDI 2019) was built against it.
 */
#include "workloads/worker.h"

enum { SMALL = 64 };

struct pins {
    struct piece *pieces; /* the small blocks, then those of a page */
    uintptr_t *seen;      /* pages that have a pin, by hash; 0: empty */
    size_t seen_size;     /* a power of two, above twice the blocks */
};

static size_t small_blocks(const struct workload_options *options)
{
    return (options->size << 20) / SMALL;
}

/* How many pages fit beside the pins, of which there is one a page at least. */
static size_t large_blocks(size_t small, size_t pins)
{
    return (small - pins) * SMALL / WORKER_PAGE;
}

static uint64_t pins_bound(const struct workload_options *options)
{
    size_t small = small_blocks(options);
    size_t pins = small * SMALL / WORKER_PAGE;
    return (small * SMALL + large_blocks(small, pins) * WORKER_PAGE) * options->threads;
}

static void pins_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    workers_make_state(workers, sizeof(struct pins));
    for (unsigned i = 0; i < options->threads; i++) {
        struct pins *pins = workers[i].state;
        pins->pieces = worker_table(2 * small_blocks(options) * sizeof(struct piece));
        for (pins->seen_size = 1; pins->seen_size < 2 * small_blocks(options);)
            pins->seen_size *= 2;
        pins->seen = worker_table(pins->seen_size * sizeof(uintptr_t));
    }
}

/* Whether this is the first block that is seen of its page. */
static bool pins_page(struct pins *pins, const char *p)
{
    uintptr_t page = (uintptr_t)p / WORKER_PAGE;
    size_t at = prng_mix(page) & (pins->seen_size - 1);
    while (pins->seen[at] != 0 && pins->seen[at] != page)
        at = (at + 1) & (pins->seen_size - 1);
    bool is_first = pins->seen[at] == 0;
    pins->seen[at] = page;
    return is_first;
}

/* Frees all but the first block of each page; how many are kept. */
static size_t pins_keep(struct worker *worker, struct pins *pins, size_t n)
{
    size_t kept = 0;
    memset(pins->seen, 0, pins->seen_size * sizeof(uintptr_t));
    for (size_t i = 0; i < n; i++) {
        struct piece piece = pins->pieces[i];
        if (pins_page(pins, piece.p))
            pins->pieces[kept++] = piece;
        else
            worker_free(worker, piece.p, piece.size);
    }
    return kept;
}

static void pins_run(struct worker *worker)
{
    struct pins *pins = worker->state;
    struct piece *pieces = pins->pieces;
    size_t small = small_blocks(worker->options);
    while (worker_is_due(worker)) {
        for (size_t i = 0; i < small; i++)
            pieces[i] = (struct piece){worker_malloc(worker, SMALL), SMALL};
        size_t kept = pins_keep(worker, pins, small);
        size_t pages = large_blocks(small, kept);
        for (size_t i = kept; i < kept + pages; i++)
            pieces[i] = (struct piece){worker_malloc(worker, WORKER_PAGE), WORKER_PAGE};
        worker_free_all(worker, pieces, kept + pages);
    }
}

const struct workload workload_page_pins = {
    .name = "page-pins",
    .summary = "adversary: keeps one small block in each page, then asks for pages",
    .size_is = "MiB live at most",
    .size = 16,
    .ops = 1,
    .threads = 1,
    .size_least = 1,
    .varies = true,
    .prepare = pins_prepare,
    .run = pins_run,
    .bound = pins_bound,
};
