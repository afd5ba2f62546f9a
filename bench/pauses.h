/*
 * Pauses of the program that was recorded: between two operations, of whichever threads, no call
 * was made. A replay may make them too, for allocators that purge by time. What a pause costs is
 * measured, so that it can be left out of what the allocator costs.
 */
#ifndef BENCH_PAUSES_H
#define BENCH_PAUSES_H

#include "cost.h"

/* A trace's clock has steps of one millisecond: times that are one step apart may lie a microsecond
   apart, times that are two steps apart at least one millisecond. */
enum { PAUSE_LEAST_MS = 2 };

/* Looks for pauses in a trace that is read in order. All zero at first. */
struct pause_finder {
    uint64_t time_ns; /* of the operation before; valid if has_time */
    bool has_time;
    bool is_asked; /* else there are none */
};

/* The pauses that were made. */
struct paused {
    uint64_t count;
    struct cost cost;
};

/* The pause before an operation of the time time_ns, in milliseconds; 0: none. */
uint32_t pause_before(struct pause_finder *finder, uint64_t time_ns);
/* Sleeps so long and adds it. One thread at a time. */
void pause_make(struct paused *paused, uint32_t ms);

#endif
