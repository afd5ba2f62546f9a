/*
 * Synthetic workloads: programs in miniature that hurt allocators in known ways. This is what a
 * workload has to be, and where those that exist are found. To add one, write synthetic/NAME.c and
 * add its line to registry.c. How one is run and measured is not decided here.
 */
#ifndef WORKLOADS_WORKLOAD_H
#define WORKLOADS_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker; /* worker.h */

/* What the user may choose. */
struct workload_options {
    uint64_t size; /* as the workload's size_is says */
    uint64_t seed;
    uint64_t ops; /* calls that each thread makes, about; UINT64_MAX: until told to stop */
    unsigned threads;
    const char *profile; /* a file for the workload that reads one, or NULL */
};

/*
 * A workload. `run` is the same function for each thread; it makes its calls through worker.h,
 * which counts and checks them, until worker_is_due says no more, and frees every block before it
 * returns (blocks may be freed by any of the threads). On one thread the calls follow from the
 * options alone; with more, their number and sizes do. Only one that `varies` may do otherwise.
 */
struct workload {
    const char *name;
    const char *summary; /* one line */
    const char *size_is; /* what options.size is, with its unit; NULL: it is not used */
    uint64_t size;       /* defaults */
    uint64_t ops;
    unsigned threads;
    unsigned threads_least; /* 0: one is enough */
    uint64_t size_least;    /* 0: any size will do */
    /*
     * Maps the tables (worker_table) of options->threads workers and sets their `state`, before
     * the clock starts. Makes no call that counts. NULL: there are none.
     */
    void (*prepare)(struct worker *workers);
    void (*run)(struct worker *worker);
    /* Bytes that theory says are needed; NULL where it is silent. */
    uint64_t (*bound)(const struct workload_options *options);
    bool varies;        /* its calls depend on addresses, or on which thread is first */
    bool needs_profile; /* options.profile must be given */
    bool is_test;       /* its time says nothing: it is run only if it is named */
};

/* All of them, in the order of the list, NULL at the end. */
extern const struct workload *const workloads[];

/* NULL: no workload has this name. */
const struct workload *workload_find(const char *name);

#endif
