/*
 * The command line of replay-ALLOCATOR.
 */
#ifndef BENCH_REPLAY_OPTIONS_H
#define BENCH_REPLAY_OPTIONS_H

#include "step_call.h"

enum replay_pass {
    PASS_SPEED,
    PASS_MEMORY,
    PASS_CHECK,
    PASS_LATENCY,
    PASS_WORST,
    PASS_CALLS,
    PASS_LIMIT
};
enum replay_threads { THREADS_SERIAL, THREADS_ORIGINAL };

struct replay_options {
    enum replay_pass pass;
    enum touch touch;
    enum replay_threads threads;
    const char *allocator;
    const char *curve;
    const char *trace;
    const char *group;    /* folder of a memory cgroup; NULL: none */
    const char *ledger;   /* of a limit pass */
    uint64_t limit_bytes; /* likewise */
    uint64_t points;      /* samples of a memory pass */
    uint64_t chunk_ops;   /* operations decoded at once; 0: as many as is wise */
    uint64_t repeats;     /* how often the trace is replayed */
    uint64_t seed;        /* of the sample of a latency pass */
    uint64_t epoch_ops;   /* 0: as many as is wise */
    bool pauses;          /* as recorded */
    bool models_program;  /* as program_model.h says */
    bool decay;           /* a memory pass watches what is given back while nothing happens */
};

/* An exit status, as driver.h has them; what is wrong has been printed then. --help ends the
   process. */
int replay_options_parse(int argc, char **argv, struct replay_options *options);
const char *replay_pass_name(enum replay_pass pass);
const char *replay_touch_name(enum touch touch);
const char *replay_threads_name(enum replay_threads threads);

#endif
