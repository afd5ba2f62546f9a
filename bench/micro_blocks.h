/*
 * What several micro-benchmarks do with blocks: make sure they exist, write to them, choose among
 * them at random. Small enough to be inline and to cost next to nothing.
 */
#ifndef BENCH_MICRO_BLOCKS_H
#define BENCH_MICRO_BLOCKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Bytes; the smallest page there is, so that the work is the same on all machines. */
enum { MICRO_PAGE = 4096 };

/* p itself, which is a block: the program ends otherwise, since a call that failed is a fast one.
   The compiler cannot tell what becomes of p. */
static inline void *checked(void *p)
{
    if (__builtin_expect(p == NULL, 0)) {
        fputs("out of memory: a call returned NULL\n", stderr);
        _Exit(1);
    }
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

/* Writes a byte to each page of a block and returns it. */
static inline void *touched(void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += MICRO_PAGE)
        ((volatile char *)p)[i] = 1;
    return p;
}

/* A number in [0, limit), limit < 2^32: xorshift64* (Vigna 2016), its upper half scaled. `state` is
   never 0. */
static inline size_t random_below(uint64_t *state, uint64_t limit)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (size_t)((x * UINT64_C(0x2545f4914f6cdd1d) >> 32) * limit >> 32);
}

enum { MICRO_SEED = 1 }; /* arbitrary: the same numbers in each run and under each allocator */

static inline uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
