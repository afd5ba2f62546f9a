/*
 * first-fit-bad and best-fit-bad: sequences that one policy serves badly and the other perfectly.
 * Gaps of 1300 and 1200 units alternate in the heap, kept apart by small blocks. Then come requests
 * whose sum fits them: of 1100 and 1050 units, which the best fit places so that 240 still fits
 * beside them and the first fit does not; or of 1000 and 1100, where it is the other way round.
 * They imitate nothing; they show which policy an allocator has and what a wrong guess costs: about
 * a tenth. Allocators with size classes do as badly in both. They say nothing of speed. Theory (a
 * perfect placement) needs no more than the gaps themselves.
 * Source: Knuth, "The Art of Computer Programming", volume 1, section 2.5, with 240 for his 250 so
 * that headers have room.
 */
#include "workloads/worker.h"

enum {
    UNIT = 16,
    WIDE = 1300 * UNIT,
    NARROW = 1200 * UNIT,
    SMALL = 240 * UNIT,
    POST = 4 * UNIT, /* keeps two gaps apart */
    KINDS = 4        /* of blocks: first gap, post, second gap, post */
};

/* The blocks of a run: KINDS for each pair of gaps, then the three that go into it. */
struct misfit {
    struct piece *pieces;
    struct piece *requests;
};

static size_t misfit_pairs(const struct workload_options *options)
{
    return (options->size << 20) / (WIDE + NARROW + 2 * POST);
}

static uint64_t misfit_bound(const struct workload_options *options)
{
    return misfit_pairs(options) * (WIDE + NARROW + 2 * POST) * options->threads;
}

static void misfit_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    size_t pairs = misfit_pairs(options);
    workers_make_state(workers, sizeof(struct misfit));
    for (unsigned i = 0; i < options->threads; i++) {
        struct misfit *misfit = workers[i].state;
        misfit->pieces = worker_table(KINDS * pairs * sizeof(struct piece));
        misfit->requests = worker_table(3 * pairs * sizeof(struct piece));
    }
}

static void make_all(struct worker *worker, struct piece *pieces, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++)
        pieces[i] = (struct piece){worker_malloc(worker, size), size};
}

/* A heap of gaps. */
static void misfit_dig(struct worker *worker, struct piece *pieces, size_t pairs)
{
    static const size_t sizes[KINDS] = {WIDE, POST, NARROW, POST};
    for (size_t i = 0; i < KINDS * pairs; i++)
        make_all(worker, &pieces[i], 1, sizes[i % KINDS]);
    for (size_t i = 0; i < KINDS * pairs; i += 2)
        worker_free_all(worker, &pieces[i], 1);
}

static void misfit_run(struct worker *worker, size_t first, size_t second)
{
    struct misfit *misfit = worker->state;
    size_t pairs = misfit_pairs(worker->options);
    while (worker_is_due(worker)) {
        misfit_dig(worker, misfit->pieces, pairs);
        make_all(worker, misfit->requests, pairs, first);
        make_all(worker, misfit->requests + pairs, pairs, second);
        make_all(worker, misfit->requests + 2 * pairs, pairs, SMALL);
        worker_free_all(worker, misfit->requests, 3 * pairs);
        worker_free_all(worker, misfit->pieces, KINDS * pairs);
    }
}

static void first_fit_run(struct worker *worker)
{
    misfit_run(worker, 1100 * UNIT, 1050 * UNIT);
}

static void best_fit_run(struct worker *worker)
{
    misfit_run(worker, 1000 * UNIT, 1100 * UNIT);
}

const struct workload workload_first_fit_bad = {
    .name = "first-fit-bad",
    .summary = "adversary: requests that fit the gaps if the tightest are taken",
    .size_is = "MiB live at most",
    .size = 32,
    .ops = 50000,
    .threads = 1,
    .size_least = 1,
    .prepare = misfit_prepare,
    .run = first_fit_run,
    .bound = misfit_bound,
};

const struct workload workload_best_fit_bad = {
    .name = "best-fit-bad",
    .summary = "adversary: requests that fit the gaps if the tightest are not taken",
    .size_is = "MiB live at most",
    .size = 32,
    .ops = 50000,
    .threads = 1,
    .size_least = 1,
    .prepare = misfit_prepare,
    .run = best_fit_run,
    .bound = misfit_bound,
};
