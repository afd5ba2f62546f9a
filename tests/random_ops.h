/*
 * A made-up trace of several threads: every operation is one that a program could have done in this
 * order. Blocks cross threads, threads start and end, some calls fail.
 */
#ifndef TESTS_RANDOM_OPS_H
#define TESTS_RANDOM_OPS_H

#include "workloads/trace.h"

enum { RANDOM_OPS = 20000, RANDOM_SLOTS = 500, RANDOM_THREADS = 400 };

struct random_ops {
    struct trace_op op[RANDOM_OPS];
    size_t count;
    struct trace_totals totals; /* threads, slots, ops and peak_live are set */
};

/* The trace of a seed: at most `threads` at once, blocks of at most 2^size_bits bytes. */
void random_ops_make(struct random_ops *ops, uint64_t seed, unsigned threads, unsigned size_bits);

#endif
