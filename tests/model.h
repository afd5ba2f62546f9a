/*
 * A model of the allocator: random operations on a table of functions, compared with what must be
 * true of every live block. The numbers are drawn from a seed, or from a string of bytes that
 * somebody else thought of (a fuzzer), so that a failure can be run again.
 *
 * Verified by every operation: alignment, usable size, no overlap with a live block, contents
 * kept, calloc zeroed, realloc keeps the prefix, NULL only with ENOMEM and nothing changed, errno
 * kept by free and by what succeeds.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "allocator/check.h"

enum { MODEL_MESSAGE_MAX = 512 };

/* The functions under test: those of C, and a recount. */
struct model_target {
    const char *name;
    void *(*allocate)(size_t request);
    void *(*allocate_zeroed)(size_t count, size_t size);
    void *(*allocate_aligned)(size_t align, size_t request); /* a power of two from 1 on */
    void *(*resize)(void *p, size_t request);                /* p not NULL, request not 0 */
    void (*release)(void *p);
    size_t (*usable_size)(void *p);
    unsigned (*check)(char report[CHECK_REPORT_MAX]); /* as heap_check */
};

/* A private heap (heap_fixture.h), which the caller makes fresh, and the public functions. */
extern const struct model_target model_private_heap;
extern const struct model_target model_public_functions;

struct model_plan {
    uint64_t seed;        /* where the numbers come from, */
    const uint8_t *bytes; /* if they do not come from here (not NULL) */
    size_t bytes_count;   /* the run ends when they are used up */
    unsigned ops;         /* it ends then, at the latest */
    unsigned slots;       /* most blocks live at once */
    size_t request_max;
    unsigned align_max_log2; /* largest alignment */
    unsigned check_every;    /* the recount runs after so many operations */
    bool out_of_memory;      /* NULL is no failure */
};

/* One operation as it was called, for a trace (model_trace.h). */
struct model_op {
    uint64_t size;
    uint32_t slot;
    uint8_t kind; /* enum trace_kind */
    uint8_t count;
    uint8_t align_log2;
    bool failed; /* it returned NULL */
};

/* What happened, for as long as the memory that it lies in survives. */
struct model_outcome {
    char message[MODEL_MESSAGE_MAX]; /* what went wrong */
    unsigned op;                     /* the operation that runs, or was the last */
    unsigned refused;                /* operations that returned NULL though their size was sane */
    unsigned logged;                 /* operations in the log, the one that failed included */
    unsigned log_max;                /* room for so many; the caller sets it, may be 0 */
    struct model_op log[];
};

/* Runs the plan and frees everything. false: outcome->message tells why. */
bool model_run(const struct model_target *target, const struct model_plan *plan,
               struct model_outcome *outcome);

#endif
