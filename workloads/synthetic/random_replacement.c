/*
 * replace-...: random replacement in a working set: a block chosen at random is freed and another,
 * of random size, takes its place. It imitates nothing in particular and every long-running program
 * a little; it stresses how fast freed blocks are found again among many sizes, and fragmentation
 * in a steady state. It does not show phases or any order in lifetimes, which real programs have.
 * Four distributions: sizes log-uniform, sizes of a Pareto law (most small, few large), 16 to 512
 * bytes in 10,000 slots, a common measure, and large blocks, which some allocators give pages of
 * their own and others fit into the gaps that large blocks leave. Sources: Ignatchenko, alloc-test
 * (OLogN Technologies, 2018); Jansson, rpmalloc-benchmark.
 */
#include "workloads/worker.h"

static void replace_prepare(struct worker *workers)
{
    const struct workload_options *options = workers->options;
    for (unsigned i = 0; i < options->threads; i++)
        workers[i].state = worker_table(options->size * sizeof(struct piece));
}

static size_t size_of_10k(struct prng *prng)
{
    return prng_between(prng, 16, 512);
}

static size_t size_of_log(struct prng *prng)
{
    return prng_log_uniform(prng, 4, 15);
}

static size_t size_of_pareto(struct prng *prng)
{
    return prng_pareto(prng, 16, 64 << 10);
}

static size_t size_of_large(struct prng *prng)
{
    return prng_between(prng, 128 << 10, (1 << 20) - 1);
}

static inline __attribute__((always_inline)) void replace(struct worker *worker,
                                                          size_t (*size_of)(struct prng *))
{
    struct piece *pieces = worker->state;
    uint64_t slots = worker->options->size;
    while (worker_is_due(worker)) {
        size_t at = prng_below(&worker->prng, slots);
        worker_replace(worker, &pieces[at], size_of(&worker->prng));
    }
    worker_free_all(worker, pieces, slots);
}

static void replace_10k_run(struct worker *worker)
{
    replace(worker, size_of_10k);
}

static void replace_log_run(struct worker *worker)
{
    replace(worker, size_of_log);
}

static void replace_pareto_run(struct worker *worker)
{
    replace(worker, size_of_pareto);
}

static void replace_large_run(struct worker *worker)
{
    replace(worker, size_of_large);
}

const struct workload workload_replace_10k = {
    .name = "replace-10k",
    .summary = "random replacement in 10,000 slots, 16 to 512 bytes",
    .size_is = "slots of each thread",
    .size = 10000,
    .ops = 8000000,
    .threads = 1,
    .prepare = replace_prepare,
    .run = replace_10k_run,
};

const struct workload workload_replace_log = {
    .name = "replace-log",
    .summary = "random replacement, sizes log-uniform from 16 bytes to 32 KiB",
    .size_is = "slots of each thread",
    .size = 4000,
    .ops = 3000000,
    .threads = 1,
    .prepare = replace_prepare,
    .run = replace_log_run,
};

const struct workload workload_replace_pareto = {
    .name = "replace-pareto",
    .summary = "random replacement, sizes of a Pareto law from 16 bytes to 64 KiB",
    .size_is = "slots of each thread",
    .size = 40000,
    .ops = 5000000,
    .threads = 1,
    .prepare = replace_prepare,
    .run = replace_pareto_run,
};

const struct workload workload_replace_large = {
    .name = "replace-large",
    .summary = "random replacement, 128 KiB to 1 MiB",
    .size_is = "slots of each thread",
    .size = 100,
    .ops = 10000,
    .threads = 1,
    .prepare = replace_prepare,
    .run = replace_large_run,
};
