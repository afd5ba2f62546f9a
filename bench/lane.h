/*
 * One thread of a replay, and what it shares with the others: how it starts, its steps, and what
 * its stream says of others between them. A lane is the place of a thread among those that run at
 * once: its stack and its mark. In the loops of the timed replay is no counter and no probe; only
 * where a stream says so does a thread wait or publish.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include "checker.h"
#include "cost.h"
#include "latency.h"
#include "pace.h"
#include "program_model.h"
#include "streams.h"
#include "touched.h"

#include <pthread.h>

/* Of address space: sanitizers keep 900 KiB of thread locals on a stack. */
enum { LANE_STACK_BYTES = 1 << 20 };

/* What a thread of the trace did. */
struct thread_figures {
    uint64_t ops;
    uint64_t cpu_ns; /* of its replay thread; spinning not included */
    uint64_t wait_ns;
    uint64_t call_cycles; /* inside calls; valid in a pass that sums them */
};

struct lanes;

/* It lies at the foot of its thread's stack, and so never moves. */
struct lane {
    struct mark done; /* index of the word behind the last step that it published */
    struct gate gate; /* for those who wait for it */
    struct lanes *lanes;
    const uint64_t *at; /* where its stream begins in this part */
    pthread_t id;
    bool has_id;    /* valid id: to be joined before the lane is used again */
    bool has_ended; /* the thread is at its end, or will be in a moment */
    uint32_t number;
    uint32_t thread; /* of the trace */
    uint32_t epoch;  /* of the part; valid if has_epoch */
    bool has_epoch;
    uint64_t random; /* state of the numbers that a check draws */
    struct latency_thread timed;
    struct waited waited;
    uint64_t began_cpu_ns;
};

/* Why a replay was given up. */
struct lanes_failure {
    const uint64_t *at; /* the step that failed; NULL: no thread could be made */
    uint32_t thread;
    int error; /* of the thread that could not be made */
};

enum { LANES_GATES = 64 };

struct lanes {
    struct streams *streams;
    struct slot *table;
    size_t slots_capacity;
    enum touch touch;
    bool counts_live;
    struct checker *checker;       /* verifies every call; NULL: none */
    struct latency *latency;       /* times calls; NULL: none */
    bool models_program;           /* as program_model.h says, around each call */
    const struct touched *touched; /* of the streams' words; valid if TOUCH_RECORDED */
    _Atomic int64_t live; /* requested bytes not yet freed; valid if counts_live, as peak_live */
    _Atomic int64_t peak_live;

    void *(*thread_main)(void *lane); /* of each thread but the process's first */
    struct pace pace;
    struct mark epochs_done;        /* as many as come first */
    struct gate gates[LANES_GATES]; /* by the count that is waited for, modulo their number */
    struct mark parts;              /* that have begun */
    struct gate parts_gate;
    _Atomic uint32_t running; /* lanes that have not come to the end of the part */
    struct mark stopped;      /* parts that have ended */
    struct gate stopped_gate;

    struct lane **lane;
    size_t lanes_capacity;
    uint32_t lane_count;
    struct thread_figures *figures; /* by the trace's threads */
    size_t figures_capacity;

    /* Called by one thread at a time when an epoch is done, with the steps done up to its end. */
    void (*epoch_is_done)(void *data, uint64_t ops);
    void *data;
    _Atomic bool is_told; /* somebody is calling it */

    struct lanes_failure failure; /* valid if pace.given_up */
    _Atomic bool has_failed;
    struct paused paused; /* in this part */
    struct cost cost;     /* of all parts without their pauses, as are the next four */
    uint64_t pauses;
    uint64_t paused_ns;
    _Atomic uint64_t pausing_ns; /* the same as soon as a pause is over */
    uint64_t ops;
    uint64_t wait_ns; /* the sum over all threads */
};

/* The first word of a thread's stream in this part. */
static inline const uint64_t *lane_stream(const struct lanes *lanes, uint32_t thread)
{
    return lanes->streams->words + lanes->streams->thread[thread].first;
}

/* Starts the thread of a lane: `thread` of the trace. 0, or the error. */
int lane_start(struct lane *lane, uint32_t thread);
/* Executes the steps of the lane's thread up to its end or that of the part. true: the part's. */
bool lane_run(struct lane *lane);

#endif
