/*
 * The decoded trace: its operations as an array of steps (step.h), which is made before the clock
 * starts.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include "checksum.h"
#include "pauses.h"
#include "step.h"

/* A pause between steps. */
struct step_pause {
    uint64_t step; /* it comes before the step with this index; may be behind the last one */
    uint32_t ms;
};

struct touched;

/* A growable array of steps, in harness memory. */
struct steps {
    uint64_t *words;
    size_t capacity; /* words mapped */
    size_t used;     /* words in use */
    uint64_t count;  /* steps in use */

    struct step_pause *pauses; /* in order */
    size_t pauses_capacity;
    size_t pauses_count;
    struct pause_finder finder;
    struct touched *touched; /* is told of each step; NULL: nobody is */
};

/* An empty array with room for `words`; false and errno on failure. */
bool steps_open(struct steps *steps, size_t words);
void steps_close(struct steps *steps);
/* Forgets the steps and keeps the memory. */
void steps_clear(struct steps *steps);
/* Appends the step of an operation, if it has one, and the pause before it, if pauses are asked
   for. false and errno: no memory. */
bool steps_add(struct steps *steps, const struct trace_op *op, uint32_t null_slot);
/* The word behind the next n steps. */
const uint64_t *steps_skip(const uint64_t *at, uint64_t n);

/* A trace that is being decoded. */
struct steps_source {
    struct trace_reader *reader;
    struct trace_op *ops; /* TRACE_BLOCK_OPS of them */
    const char *path;
    uint32_t null_slot;       /* the slot behind the last one: its block is always NULL */
    uint64_t skipped_ops;     /* operations with TRACE_FAILED met so far */
    struct checksum checksum; /* of the steps met so far, in the trace's order */
    bool ended;
};

/* What can be wrong with a source: *unusable: the trace is at fault (missing, damaged), not the
   machine; "PATH: what" in error. */
struct steps_fault {
    bool unusable;
    char error[TRACE_ERROR_MAX];
};

/* Opens the trace at `path`. */
bool steps_source_open(struct steps_source *source, const char *path, struct steps_fault *fault);
/* Number of steps that the whole trace has. */
uint64_t steps_source_count(const struct steps_source *source);
/*
 * Reads the next operations into source->ops and sets *n; at the trace's end none, and
 * source->ended. Slots are compared with the size of the table again, since they index memory.
 */
bool steps_source_next(struct steps_source *source, size_t *n, struct steps_fault *fault);
/* Appends whole blocks to steps until there are at least `wanted` steps or the trace ends. */
bool steps_source_read(struct steps_source *source, struct steps *steps, uint64_t wanted,
                       struct steps_fault *fault);
void steps_source_close(struct steps_source *source);

enum { STEPS_ANY_THREAD = UINT32_MAX };

/* An operation of a trace: its number, from 1, among all operations and among all that are steps,
   and its thread. */
struct found_op {
    uint64_t number; /* 0: not found */
    uint64_t step;
    uint32_t thread;
};

/*
 * The operation that became step `index` (from 0) of those of `thread`, or of all; none if the
 * trace cannot be read any more. Reads the trace from its start.
 */
struct found_op steps_find_op(const char *path, uint32_t thread, uint64_t index);

#endif
