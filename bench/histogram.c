/*
 * A bucket's number is the position of the highest bit, and the five bits behind it.
 */
#include "histogram.h"

enum { SUB = 1 << HISTOGRAM_SUB_BITS };

unsigned histogram_bucket(uint64_t number)
{
    if (number < 2 * SUB)
        return (unsigned)number;
    unsigned shift = 63 - (unsigned)__builtin_clzll(number) - HISTOGRAM_SUB_BITS;
    unsigned bucket = (shift << HISTOGRAM_SUB_BITS) + (unsigned)(number >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_most(unsigned bucket)
{
    if (bucket < 2 * SUB)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t first = (uint64_t)(bucket - (shift << HISTOGRAM_SUB_BITS)) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t number)
{
    atomic_fetch_add_explicit(&histogram->count[histogram_bucket(number)], 1, memory_order_relaxed);
}

static uint32_t count_of(const struct histogram *histogram, unsigned bucket)
{
    return atomic_load_explicit(&histogram->count[bucket], memory_order_relaxed);
}

uint64_t histogram_total(const struct histogram *histogram)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += count_of(histogram, i);
    return total;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        atomic_fetch_add_explicit(&histogram->count[i], count_of(other, i), memory_order_relaxed);
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    uint64_t total = histogram_total(histogram);
    double wanted = share * (double)total;
    uint64_t sum = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && total > 0; i++) {
        sum += count_of(histogram, i);
        if ((double)sum >= wanted && sum > 0)
            return histogram_most(i);
    }
    return 0;
}
