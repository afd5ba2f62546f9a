/*
 * Replays streams on threads of their own: one for each thread of the trace, started and ended
 * where the trace says. The process's first thread is lane 0 and makes the calls of the trace's
 * first thread. What a thread does is lane.h's.
 */
#ifndef BENCH_LANES_H
#define BENCH_LANES_H

#include "lane.h"

/* false and errno on failure. */
bool lanes_open(struct lanes *lanes, struct streams *streams, enum touch touch, bool counts_live);
/* Ends the threads that are still there, and unmaps all. */
void lanes_close(struct lanes *lanes);
/* Maps what the part that was decoded needs: slots, stacks. false and errno. */
bool lanes_make_room(struct lanes *lanes);
/* In a copy of the process: faults in again what it shares with its parent. */
void lanes_touch(struct lanes *lanes);
/* Executes the part and adds its cost; false: lanes->failure tells. */
bool lanes_run_part(struct lanes *lanes);
/* Frees every block that is still live. Not timed. */
void lanes_drain(struct lanes *lanes);

/* How many steps of its thread came before the one at which the replay failed. */
uint64_t lanes_failure_index(const struct lanes *lanes);

#endif
