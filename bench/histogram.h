/*
 * Counts of durations, in buckets whose width is a 32nd of what they hold, so that a percentile is
 * off by 3 % at most; below 64 each number has its own. Any histograms can be added up. Several
 * threads may count at once.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 5,
    HISTOGRAM_OCTAVES = 40, /* from 64 on: up to 2^46, which is hours in cycles */
    HISTOGRAM_BUCKETS = (HISTOGRAM_OCTAVES + 2) << HISTOGRAM_SUB_BITS
};

struct histogram {
    _Atomic uint32_t count[HISTOGRAM_BUCKETS];
};

/* The bucket of a number; what is too large goes to the last. */
unsigned histogram_bucket(uint64_t number);
/* The largest number that goes to a bucket. */
uint64_t histogram_most(unsigned bucket);
void histogram_add(struct histogram *histogram, uint64_t number);
uint64_t histogram_total(const struct histogram *histogram);
/* Adds what is in `other`. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/*
 * The number that a share (0 to 1) of all counts do not exceed: the largest of its bucket; 0 if
 * nothing was counted.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

#endif
