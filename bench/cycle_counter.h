/*
 * The processor's own clock: the time-stamp counter, or the virtual counter of AArch64; elsewhere
 * the system's, in nanoseconds. What a reading costs is measured and taken off.
 */
#ifndef BENCH_CYCLE_COUNTER_H
#define BENCH_CYCLE_COUNTER_H

#include <stdint.h>
#include <time.h>

struct cycle_counter {
    double ns;     /* of one cycle */
    uint64_t cost; /* cycles between two readings with nothing in between */
    uint64_t step; /* the least that two durations differ by: counters do not count one by one */
};

/* Takes some 20 ms. */
void cycle_counter_calibrate(struct cycle_counter *counter);
/* The cycles between two readings, less what reading costs; 0 if that is more. */
static inline uint64_t cycle_counter_between(const struct cycle_counter *counter, uint64_t begin,
                                             uint64_t end)
{
    uint64_t cycles = end - begin;
    return cycles > counter->cost ? cycles - counter->cost : 0;
}

/* What came before is done when the clock is read, and what comes after has not begun. */
static inline uint64_t cycles_begin(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
    uint64_t cycles = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return cycles;
#elif defined(__aarch64__)
    uint64_t cycles;
    __asm__ volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(cycles)::"memory");
    return cycles;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

/* As cycles_begin, for the end of what is timed. */
static inline uint64_t cycles_end(void)
{
#if defined(__x86_64__)
    unsigned processor;
    uint64_t cycles = __builtin_ia32_rdtscp(&processor);
    __builtin_ia32_lfence();
    return cycles;
#else
    return cycles_begin();
#endif
}

#endif
