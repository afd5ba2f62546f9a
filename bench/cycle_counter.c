/*
 * Against the system's clock, since the counter's frequency is not told on all machines.
 */
#include "cycle_counter.h"

enum { CALIBRATION_NS = 20 * 1000 * 1000, TRIALS = 2000 };

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static double cycle_ns(void)
{
    uint64_t began_ns = now_ns();
    uint64_t began = cycles_begin();
    uint64_t ended_ns;
    do
        ended_ns = now_ns();
    while (ended_ns - began_ns < CALIBRATION_NS);
    uint64_t cycles = cycles_end() - began;
    return cycles > 0 ? (double)(ended_ns - began_ns) / (double)cycles : 1;
}

/* The least of many: what is above it was disturbed. */
static uint64_t reading_cost(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t began = cycles_begin();
        uint64_t cycles = cycles_end() - began;
        least = cycles < least ? cycles : least;
    }
    return least;
}

/* Of durations that grow little by little. */
static uint64_t least_step(void)
{
    uint64_t least = UINT64_MAX;
    uint64_t last = 0;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t began = cycles_begin();
        for (volatile int wait = i % 16; wait > 0; wait--)
            continue;
        uint64_t cycles = cycles_end() - began;
        uint64_t step = cycles > last ? cycles - last : last - cycles;
        if (i > 0 && step > 0 && step < least)
            least = step;
        last = cycles;
    }
    return least;
}

void cycle_counter_calibrate(struct cycle_counter *counter)
{
    counter->ns = cycle_ns();
    counter->cost = reading_cost();
    counter->step = least_step();
}
