/*
 * robson: the program that no allocator can serve without waste. It fills its allowance with the
 * smallest blocks, then, for each power of two in turn, looks at the addresses it was given, keeps
 * only blocks that lie across one residue modulo that power, so that every gap is too short for the
 * next size, and fills its allowance with blocks of that size. It imitates no program; it shows the
 * worst that fragmentation can do, which moving blocks alone would cure. It says nothing of speed:
 * most of the time is its own. With an allowance of M and sizes up to n units, theory asks for
 * M (1 + log2(n) / 2) - n + 1 units of any allocator that does not move blocks; what an allocator
 * needs above that is its own. The largest block is a page, so that each page used keeps a block.
 * Source: Robson, "Bounds for Some Functions Concerning Dynamic Storage Allocation", JACM 1974.
 */
#include "workloads/worker.h"

enum {
    UNIT = 16, /* bytes: blocks are aligned to this much */
    POWERS = 8 /* the largest block is 2^8 units: a page */
};

struct robson {
    size_t count;
    size_t live_units;
    struct piece *pieces;
};

static size_t robson_units(const struct workload_options *options)
{
    return (options->size << 20) / UNIT;
}

static uint64_t robson_bound(const struct workload_options *options)
{
    uint64_t units = robson_units(options);
    uint64_t needed = units + units * POWERS / 2 - (1 << POWERS) + 1;
    return needed * UNIT * options->threads;
}

static void robson_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    workers_make_state(workers, sizeof(struct robson));
    for (unsigned i = 0; i < options->threads; i++) {
        struct robson *robson = workers[i].state;
        robson->pieces = worker_table(robson_units(options) * sizeof(struct piece));
    }
}

/* Whether a unit of the block has an address that is `residue` modulo 2^power, in units. */
static bool piece_occupies(const struct piece *piece, size_t residue, unsigned power)
{
    size_t start = (uintptr_t)piece->p / UNIT;
    size_t ahead = (residue - start) & (((size_t)1 << power) - 1);
    return ahead < piece->size / UNIT;
}

/* How much the blocks that occupy a residue would spoil beyond their own size. */
static size_t robson_spoiled(const struct robson *robson, size_t residue, unsigned power)
{
    size_t sum = 0;
    for (size_t i = 0; i < robson->count; i++)
        if (piece_occupies(&robson->pieces[i], residue, power))
            sum += ((size_t)1 << power) - robson->pieces[i].size / UNIT;
    return sum;
}

static void robson_fill(struct worker *worker, struct robson *robson, size_t units)
{
    while (robson->live_units + units <= robson_units(worker->options)) {
        size_t size = units * UNIT;
        robson->pieces[robson->count++] = (struct piece){worker_malloc(worker, size), size};
        robson->live_units += units;
    }
}

/* Frees the blocks that do not occupy the residue. */
static void robson_thin(struct worker *worker, struct robson *robson, size_t residue,
                        unsigned power)
{
    size_t kept = 0;
    for (size_t i = 0; i < robson->count; i++) {
        struct piece piece = robson->pieces[i];
        if (piece_occupies(&piece, residue, power)) {
            robson->pieces[kept++] = piece;
        } else {
            robson->live_units -= piece.size / UNIT;
            worker_free(worker, piece.p, piece.size);
        }
    }
    robson->count = kept;
}

static void robson_run(struct worker *worker)
{
    struct robson *robson = worker->state;
    while (worker_is_due(worker)) {
        size_t residue = 0;
        robson_fill(worker, robson, 1);
        for (unsigned power = 1; power <= POWERS; power++) {
            size_t other = residue + ((size_t)1 << (power - 1));
            if (robson_spoiled(robson, other, power) > robson_spoiled(robson, residue, power))
                residue = other;
            robson_thin(worker, robson, residue, power);
            robson_fill(worker, robson, (size_t)1 << power);
        }
        worker_free_all(worker, robson->pieces, robson->count);
        robson->count = robson->live_units = 0;
    }
}

const struct workload workload_robson = {
    .name = "robson",
    .summary = "adversary: keeps blocks so that no gap fits the next size",
    .size_is = "MiB live at most",
    .size = 8,
    .ops = 1,
    .threads = 1,
    .size_least = 1,
    .varies = true,
    .prepare = robson_prepare,
    .run = robson_run,
    .bound = robson_bound,
};
