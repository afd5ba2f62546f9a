/*
 * The threads of a workload: started together, timed from the moment that all are ready to the one
 * when the last has done its work. The caller's thread is the first of them, so that a workload of
 * one thread runs in a process of one thread.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "cost.h"

#include "workloads/workload.h"

#include <stdbool.h>

enum { CREW_MOST = 256 };

struct crew {
    const struct workload *workload;
    struct worker *workers;
    unsigned threads;
    char *stacks;
};

/* Maps the stacks; false and errno on failure. */
bool crew_open(struct crew *crew, const struct workload *workload, struct worker *workers,
               unsigned threads);
/* Makes the threads, which wait. 0, or the error of one that could not be made. */
int crew_start(struct crew *crew);
/* Runs the workload to its end, adds what it cost and ends the threads. */
void crew_work(struct crew *crew, struct cost *cost);

#endif
