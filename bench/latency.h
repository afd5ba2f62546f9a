/*
 * How long single calls take. A random sample of them is timed, for timing each would hide what
 * differs; their durations are counted by kind of call and by size. The worst calls, which a sample
 * would miss, come from a run of its own in which every call is timed, and so does the time of all
 * calls together.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "cycle_counter.h"
#include "histogram.h"
#include "json_text.h"
#include "touched.h"

enum {
    LATENCY_SIZES = 8, /* to 64 bytes, 256, 1 KiB, ... 256 KiB, more: each four times the last */
    LATENCY_KINDS = TRACE_PVALLOC + 1,
    LATENCY_WORST = 10
};

/* What calls are timed for. */
enum latency_aim {
    LATENCY_OF_SAMPLE,
    LATENCY_OF_WORST,
    LATENCY_OF_ALL /* their sum */
};

/* One of the worst calls. Those during which the system gave the processor to somebody else are not
   among them: they tell of the system. */
struct worst_call {
    uint64_t cycles; /* 0: none */
    uint64_t index;  /* of the step among those of its stream */
    uint64_t size;   /* bytes asked for; of a free, of the block */
    uint64_t faults; /* page faults meanwhile */
    uint32_t thread; /* of the trace; STEPS_ANY_THREAD where one thread makes all calls */
    uint8_t kind;    /* enum trace_kind */
};

/* One thread's part. */
struct latency_thread {
    uint64_t random;
    uint32_t until_sample; /* calls */
    uint32_t thread;
    uint64_t steps;                         /* done so far, where each is timed */
    uint64_t cycles;                        /* of the calls; valid for LATENCY_OF_ALL, as are */
    uint64_t ended;                         /* when the last one was over, and */
    uint64_t preemptions;                   /* of the thread, when it was asked last */
    uint64_t preempted;                     /* calls that were left out */
    struct worst_call worst[LATENCY_WORST]; /* the least bad first */
};

struct latency {
    struct cycle_counter counter;
    uint64_t long_cycles; /* after which the system is asked whether it ran something else */
    enum latency_aim aim;
    uint64_t seed; /* of the sample: which calls it takes */
    enum touch touch;
    const struct touched *touched; /* of the steps; to be set where TOUCH_RECORDED */
    struct histogram *by_kind;     /* LATENCY_KINDS of them */
    struct histogram *by_size;     /* LATENCY_SIZES of them */
    uint64_t preempted;
    uint64_t cycles;                        /* of all threads' calls; valid for LATENCY_OF_ALL */
    _Atomic uint32_t lock;                  /* of worst, preempted and cycles */
    struct worst_call worst[LATENCY_WORST]; /* the least bad first */
};

/* Calibrates; false and errno: no memory. The same calls are sampled with the same seed. */
bool latency_open(struct latency *latency, enum touch touch, enum latency_aim aim, uint64_t seed);
void latency_close(struct latency *latency);
/* A thread of the trace begins; latency: NULL where nothing will be timed. */
void latency_thread_begin(const struct latency *latency, struct latency_thread *part,
                          uint32_t thread);
/* As step_call; takes the time of the call if it is one to be timed. */
bool latency_call(struct latency *latency, struct latency_thread *part, struct slot *table,
                  const uint64_t **at);
/* Takes a thread's worst calls and its sum over, and forgets them there. */
void latency_thread_end(struct latency *latency, struct latency_thread *part);

double latency_to_ns(const struct latency *latency, uint64_t cycles);
/* Appends p50_ns to p9999_ns of all calls and, as objects, of each kind and size that was met. */
void latency_print(const struct latency *latency, struct json_text *text);
/* Appends max_ns and the list of the worst calls of the trace at `path`. */
void latency_print_worst(const struct latency *latency, const char *path, struct json_text *text);
/*
 * Writes "kind,bucket,ns,count" lines, a header first, to fd: the number of a bucket of the
 * histogram, its largest duration, and how many calls it has. false and errno on failure.
 */
bool latency_write(const struct latency *latency, int fd);

#endif
