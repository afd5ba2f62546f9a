/*
 * phases, sawtooth, ramp and ripples: live memory that comes and goes. phases works on images (rows
 * of 4 to 64 KiB), then on text (blocks of 16 to 256 bytes), then on images again, with a hundredth
 * of each phase's blocks kept to the end: can the memory of one phase serve the next? sawtooth
 * fills up to a level and frees all but a tenth, again and again, like a server under bursts. ramp
 * fills once and frees everything in random order, like a program that closes its document: what is
 * given back? ripples keeps a level, give or take a hundredth, with sizes from 16 bytes to 64 KiB,
 * like a server that runs for weeks: how much memory is lost in the gaps between blocks? They
 * stress peak memory and what stays after the peak (rss_after_drain), not the speed of calls.
 * Source: the kinds of program behaviour in Wilson, Johnstone, Neely and Boles, "Dynamic Storage
 * Allocation: A Survey and Critical Review", IWMM 1995 (ramps, peaks, plateaus).
 */
#include "workloads/worker.h"

/* Arbitrary: the smallest mean size of a block is above this, so tables of level / MEAN suffice. */
enum { MEAN = 64 };

/* The blocks that are live; size_of makes them, and `bytes` is their sum. */
struct tide {
    struct piece *pieces;
    size_t count;
    size_t capacity;
    size_t bytes;
};

static void tide_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    workers_make_state(workers, sizeof(struct tide));
    for (unsigned i = 0; i < options->threads; i++) {
        struct tide *tide = workers[i].state;
        tide->capacity = (options->size << 20) / MEAN;
        tide->pieces = worker_table(tide->capacity * sizeof(struct piece));
    }
}

static size_t size_of_row(struct prng *prng)
{
    return prng_between(prng, 4 << 10, 64 << 10);
}

static size_t size_of_word(struct prng *prng)
{
    return prng_between(prng, 16, 256);
}

static size_t size_of_any(struct prng *prng)
{
    return prng_log_uniform(prng, 5, 14);
}

static size_t size_of_wide(struct prng *prng)
{
    return prng_log_uniform(prng, 4, 16);
}

/* Makes blocks until there are `level` bytes. */
static void tide_rise(struct worker *worker, size_t level, size_t (*size_of)(struct prng *))
{
    struct tide *tide = worker->state;
    while (tide->bytes < level && tide->count < tide->capacity) {
        size_t size = size_of(&worker->prng);
        tide->pieces[tide->count++] = (struct piece){worker_malloc(worker, size), size};
        tide->bytes += size;
    }
}

/* Frees blocks chosen at random until there are at most `level` bytes. */
static void tide_fall(struct worker *worker, size_t level)
{
    struct tide *tide = worker->state;
    while (tide->bytes > level && tide->count > 0) {
        size_t at = prng_below(&worker->prng, tide->count);
        struct piece piece = tide->pieces[at];
        tide->pieces[at] = tide->pieces[--tide->count];
        tide->bytes -= piece.size;
        worker_free(worker, piece.p, piece.size);
    }
}

/* The bytes that --size asks for. */
static size_t tide_level(const struct worker *worker)
{
    return worker->options->size << 20;
}

static void phases_run(struct worker *worker)
{
    size_t level = tide_level(worker);
    while (worker_is_due(worker)) {
        tide_rise(worker, level, size_of_row);
        tide_fall(worker, level / 100);
        tide_rise(worker, level, size_of_word);
        tide_fall(worker, level / 50);
        tide_rise(worker, level, size_of_row);
        tide_fall(worker, 0);
    }
}

static void sawtooth_run(struct worker *worker)
{
    size_t level = tide_level(worker);
    while (worker_is_due(worker)) {
        tide_rise(worker, level, size_of_any);
        tide_fall(worker, level / 10);
    }
    tide_fall(worker, 0);
}

static void ramp_run(struct worker *worker)
{
    while (worker_is_due(worker)) {
        tide_rise(worker, tide_level(worker), size_of_any);
        tide_fall(worker, 0);
    }
}

static void ripples_run(struct worker *worker)
{
    size_t level = tide_level(worker);
    while (worker_is_due(worker)) {
        tide_rise(worker, level, size_of_wide);
        tide_fall(worker, level - level / 100);
    }
    tide_fall(worker, 0);
}

const struct workload workload_phases = {
    .name = "phases",
    .summary = "images, then text, then images; a hundredth of each phase stays",
    .size_is = "MiB live at the peak",
    .size = 32,
    .ops = 800000,
    .threads = 1,
    .size_least = 1,
    .prepare = tide_prepare,
    .run = phases_run,
};

const struct workload workload_sawtooth = {
    .name = "sawtooth",
    .summary = "fills up to a level and frees all but a tenth, again and again",
    .size_is = "MiB live at the peak",
    .size = 32,
    .ops = 1500000,
    .threads = 1,
    .size_least = 1,
    .prepare = tide_prepare,
    .run = sawtooth_run,
};

const struct workload workload_ramp = {
    .name = "ramp",
    .summary = "fills up once and frees everything in random order",
    .size_is = "MiB live at the peak",
    .size = 128,
    .ops = 1,
    .threads = 1,
    .size_least = 1,
    .prepare = tide_prepare,
    .run = ramp_run,
};

const struct workload workload_ripples = {
    .name = "ripples",
    .summary = "a level that is kept, sizes log-uniform from 16 bytes to 64 KiB",
    .size_is = "MiB live",
    .size = 64,
    .ops = 1500000,
    .threads = 1,
    .size_least = 1,
    .prepare = tide_prepare,
    .run = ripples_run,
};
