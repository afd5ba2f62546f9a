/*
 * Pseudo-random numbers for workloads: SplitMix64 (Steele, Lea and Flood, 2014), one word of state
 * and a few instructions a number. The same seed gives the same numbers on every machine.
 */
#ifndef WORKLOADS_PRNG_H
#define WORKLOADS_PRNG_H

#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

/* A bijection that spreads every bit of x over the whole word. */
static inline uint64_t prng_mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* The generator number `stream` of a seed; streams of one seed are independent. */
static inline struct prng prng_of_seed(uint64_t seed, uint64_t stream)
{
    return (struct prng){prng_mix(seed ^ prng_mix(stream + 1))};
}

static inline uint64_t prng_next(struct prng *prng)
{
    return prng_mix(prng->state += 0x9e3779b97f4a7c15);
}

/* 0 to n - 1, for n up to 2^32. */
static inline uint64_t prng_below(struct prng *prng, uint64_t n)
{
    return (prng_next(prng) >> 32) * n >> 32;
}

/* low to high, both included. */
static inline uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high)
{
    return low + prng_below(prng, high - low + 1);
}

/* 0 to less than 1. */
static inline double prng_unit(struct prng *prng)
{
    return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

/*
 * 2^low to 2^high - 1, near enough log-uniform: each power of two is as likely as any other, and
 * within it all sizes are.
 */
static inline uint64_t prng_log_uniform(struct prng *prng, unsigned low, unsigned high)
{
    uint64_t x = prng_next(prng);
    unsigned power = low + (unsigned)((x >> 32) * (high - low) >> 32);
    return ((uint64_t)1 << power) + (x & (((uint64_t)1 << power) - 1));
}

/* A Pareto distribution of shape 1, cut off: half of all are under 2 low, a tenth over 10 low. */
static inline uint64_t prng_pareto(struct prng *prng, uint64_t low, uint64_t high)
{
    double cut = 1 - (double)low / (double)high;
    return (uint64_t)((double)low / (1 - prng_unit(prng) * cut));
}

#endif
