/*
 * The decoded trace: operations as steps of eight bytes each, laid out so that the replay loop
 * reads them in order and decodes with two shifts. They are made from the trace before the clock
 * starts. What a step does to memory is not here; that is step_call.h.
 *
 *     63             37  36  35  32 31             0
 *     +----------------+-----+------+----------------+
 *     | size           | pub | kind | slot           |
 *     +----------------+-----+------+----------------+
 *
 * Words that follow the step: first the operand (calloc: elements; aligned family: alignment),
 * then the size, if the 27 bits above hold STEP_SIZE_LONG. The kind is the trace's; the numbers
 * behind the trace's kinds are steps of streams.h, which also sets `pub`.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include "checksum.h"
#include "pauses.h"

#include "workloads/trace.h"

enum {
    STEP_KIND_SHIFT = 32,
    STEP_KIND_MASK = 15,
    STEP_SIZE_SHIFT = 37,
    STEP_SIZE_LONG = (1 << 27) - 1,
    STEP_WORDS_MAX = 3 /* the longest step, which the array must have room for */
};

/* The thread says that this step is done, since another one waits for it. */
#define STEP_PUBLISHES (UINT64_C(1) << 36)

/* A step, taken apart. */
struct step {
    uint32_t slot;
    enum trace_kind kind;
    uint64_t size;
    uint64_t operand; /* valid for the kinds that step_has_operand names */
};

static inline bool step_has_operand(enum trace_kind kind)
{
    const unsigned kinds = 1u << TRACE_CALLOC | 1u << TRACE_ALIGNED_ALLOC | 1u << TRACE_MEMALIGN |
                           1u << TRACE_POSIX_MEMALIGN;
    return kinds >> kind & 1;
}

static inline uint32_t step_slot(uint64_t word)
{
    return (uint32_t)word;
}

static inline enum trace_kind step_kind(uint64_t word)
{
    return (enum trace_kind)(word >> STEP_KIND_SHIFT & STEP_KIND_MASK);
}

/* Takes the step at *at apart and moves *at behind it. */
static inline struct step step_take(const uint64_t **at)
{
    uint64_t word = *(*at)++;
    struct step step = {
        .slot = step_slot(word),
        .kind = step_kind(word),
        .size = word >> STEP_SIZE_SHIFT,
    };
    if (step_has_operand(step.kind))
        step.operand = *(*at)++;
    if (__builtin_expect(step.size == STEP_SIZE_LONG, 0))
        step.size = *(*at)++;
    return step;
}

/* Bytes that the block has after a step that makes or resizes it. */
static inline uint64_t step_bytes(const struct step *step)
{
    return step->kind == TRACE_CALLOC ? step->size * step->operand : step->size;
}

/* Whether an operation is replayed: thread starts and ends and failed calls are not. */
static inline bool op_has_step(const struct trace_op *op)
{
    return op->kind < TRACE_THREAD_START && !(op->flags & TRACE_FAILED);
}

/* The step of an operation that has one. free(NULL) frees `null_slot`, realloc(p, 0) frees p. */
struct step step_from_op(const struct trace_op *op, uint32_t null_slot);
/* Writes a step to at[STEP_WORDS_MAX]; returns the number of words. */
size_t step_put(uint64_t *at, const struct step *step);

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
