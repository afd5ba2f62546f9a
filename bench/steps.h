/*
 * The decoded trace: operations as steps of eight bytes each, laid out so that the replay loop
 * reads them in order and decodes with two shifts. They are made from the trace before the clock
 * starts. What a step does to memory is not here; that is replayer.h.
 *
 *     63             36 35  32 31             0
 *     +----------------+------+----------------+
 *     | size           | kind | slot           |
 *     +----------------+------+----------------+
 *
 * Words that follow the step: first the operand (calloc: elements; aligned family: alignment),
 * then the size, if the 28 bits above hold STEP_SIZE_LONG.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include "workloads/trace.h"

enum step_kind {
    STEP_MALLOC,
    STEP_FREE,
    STEP_REALLOC,
    STEP_CALLOC,
    STEP_ALIGNED_ALLOC,
    STEP_MEMALIGN,
    STEP_POSIX_MEMALIGN,
    STEP_VALLOC,
    STEP_PVALLOC,
};

enum {
    STEP_KIND_SHIFT = 32,
    STEP_SIZE_SHIFT = 36,
    STEP_SIZE_LONG = (1 << 28) - 1,
    STEP_WORDS_MAX = 3 /* the longest step, which the array must have room for */
};

/* A step, taken apart. */
struct step {
    uint32_t slot;
    enum step_kind kind;
    uint64_t size;
    uint64_t operand; /* valid for the kinds that step_has_operand names */
};

static inline bool step_has_operand(enum step_kind kind)
{
    return kind >= STEP_CALLOC && kind <= STEP_POSIX_MEMALIGN;
}

static inline uint32_t step_slot(uint64_t word)
{
    return (uint32_t)word;
}

static inline enum step_kind step_kind(uint64_t word)
{
    return (enum step_kind)(word >> STEP_KIND_SHIFT & 15);
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
    return step->kind == STEP_CALLOC ? step->size * step->operand : step->size;
}

/* A growable array of steps, in harness memory. */
struct steps {
    uint64_t *words;
    size_t capacity;      /* words mapped */
    size_t used;          /* words in use */
    uint64_t count;       /* steps in use */
    uint64_t skipped_ops; /* operations with TRACE_FAILED met so far */
};

/* An empty array with room for `words`; false and errno on failure. */
bool steps_open(struct steps *steps, size_t words);
void steps_close(struct steps *steps);
/* Forgets the steps and keeps the memory. */
void steps_clear(struct steps *steps);
/*
 * Appends the step of an operation. Thread starts and ends and failed calls have none (these are
 * counted). free(NULL) becomes a free of slot `null_slot`. false and errno: no memory.
 */
bool steps_add(struct steps *steps, const struct trace_op *op, uint32_t null_slot);
/* The word behind the next n steps. */
const uint64_t *steps_skip(const uint64_t *at, uint64_t n);

/* A trace that is being decoded into steps. */
struct steps_source {
    struct trace_reader *reader;
    struct trace_op *ops; /* TRACE_BLOCK_OPS of them */
    const char *path;
    uint32_t null_slot; /* the slot behind the last one: its block is always NULL */
    bool ended;
};

/*
 * Opens the trace at `path`. *unusable: the trace is at fault (missing, damaged), not the machine.
 * false: "PATH: what" in error.
 */
bool steps_source_open(struct steps_source *source, const char *path, bool *unusable,
                       char error[TRACE_ERROR_MAX]);
/* Number of steps that the whole trace has. */
uint64_t steps_source_count(const struct steps_source *source);
/*
 * Appends whole blocks to steps until there are at least `wanted` steps or the trace ends
 * (source->ended). Errors as above.
 */
bool steps_source_read(struct steps_source *source, struct steps *steps, uint64_t wanted,
                       bool *unusable, char error[TRACE_ERROR_MAX]);
void steps_source_close(struct steps_source *source);

/* The number, from 1, of the operation in the trace that became step `index` (from 0); 0 if the
   trace cannot be read any more. Reads the trace from its start. */
uint64_t steps_find_op(const char *path, uint64_t index);

#endif
