/*
 * Executes a trace part by part, in recorded order on one thread or each thread's calls on a thread
 * of its own: the one door behind which the rest of the replay program need not know which. What is
 * measured of memory meanwhile is the caller's business.
 */
#ifndef BENCH_PERFORMER_H
#define BENCH_PERFORMER_H

#include "lanes.h"
#include "replay_options.h"
#include "replayer.h"

/* The call that returned NULL though it should not, or was found wrong by a check. */
struct refusal {
    const uint64_t *at; /* its step; NULL: there was none */
    uint32_t thread;    /* of the trace, or STEPS_ANY_THREAD */
    uint64_t index;     /* of the step among those of the thread, or of all, from 0 */
};

struct performer {
    bool is_threaded;
    struct steps_source source;
    struct checker checker; /* of a check pass */
    struct latency latency; /* of a latency or a worst pass */
    struct touched touched; /* of the part, where it is asked for */
    struct trace_totals totals;
    uint64_t total;     /* steps of the whole trace */
    uint64_t part_ops;  /* steps to decode at once, at least; UINT64_MAX: all */
    uint64_t ops;       /* steps executed, so far as is known */
    bool knows_present; /* the trace tells how much of its blocks was touched */
    bool may_fail;      /* a refused call is no error to be printed */
    struct refusal refusal;

    /* Serial. */
    struct steps steps;
    struct replayer replayer;
    struct paused paused;

    /* Threaded. */
    struct streams streams;
    struct lanes lanes;
};

/*
 * Called during a part, by one thread at a time, when at least `ops` steps of the trace have been
 * executed; returns the number at which it wants to be called next, UINT64_MAX for never.
 */
typedef uint64_t performer_watcher(void *data, uint64_t ops);

/* Opens the trace and decodes its first part. An exit status, as driver.h has them. */
int performer_open(struct performer *performer, const struct replay_options *options);
/* In a copy of the process: what a copy finds missing or shared is put right. */
void performer_touch(struct performer *performer);
/* Whether all of the trace is decoded. */
bool performer_has_all(const struct performer *performer);
/* Executes the part; an exit status, EXIT_FAILED with `refusal` where a call was refused. watcher:
 * NULL, or called as soon as `first` is reached. */
int performer_run_part(struct performer *performer, performer_watcher *watcher, void *data,
                       uint64_t first);
/* Decodes the next part; an exit status. */
int performer_decode_part(struct performer *performer);
/* Frees every block that is still live, verified in a check pass. Not timed. An exit status. */
int performer_drain(struct performer *performer);
/* The place of the refused call among all steps, from 1. Reads the trace anew; 0: cannot be. */
uint64_t performer_refused_step(const struct performer *performer);
const struct cost *performer_cost(const struct performer *performer);
/* How many recorded pauses were made, and how long they took; no part of the cost. */
uint64_t performer_pauses(const struct performer *performer, uint64_t *paused_ns);
/* Requested bytes that live now, and the most so far; valid in a memory pass. */
int64_t performer_live(const struct performer *performer);
int64_t performer_peak_live(const struct performer *performer);

#endif
