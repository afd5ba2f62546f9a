/*
 * All that one run of replay-ALLOCATOR is about, and how it is printed. What happens in it, and in
 * which order, is replay.c.
 */
#ifndef BENCH_REPLAY_RUN_H
#define BENCH_REPLAY_RUN_H

#include "decay.h"
#include "footprint.h"
#include "holdings.h"
#include "limit.h"
#include "memory_curve.h"
#include "performer.h"

struct run {
    struct replay_options options;
    struct identity malloc;
    struct footprint footprint;
    struct performer performer;
    struct memory_curve curve;
    int curve_fd;         /* -1: none */
    uint64_t next_sample; /* when so many steps are executed, a sample is due; UINT64_MAX: never */
    int64_t highest_rss;  /* of the samples */
    int64_t huge_bytes;   /* resident in huge pages at that sample */
    bool tells_held;      /* the allocator tells what it holds memory for */
    struct holdings held; /* where memory is highest, to a 32nd */
    int64_t rss_after_drain;
    struct decay decay; /* valid if asked for */
    struct limit limit; /* of a limit pass, as the next two */
    bool survived;
    uint64_t failed_at_op; /* the step, from 1; valid unless survived */
};

/* Prints the figures of a run that has come to its end. An exit status. */
int replay_print(const struct run *run);

#endif
