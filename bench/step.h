/*
 * A step: an operation of the trace, laid out so that the replay loop reads steps in order and
 * decodes each with two shifts. What a step does to memory is not here; that is step_call.h. All is
 * inline: every operation of a trace comes through here, and back again.
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
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

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

static inline bool op_frees_null(const struct trace_op *op)
{
    return op->kind == TRACE_FREE && (op->flags & TRACE_NULL);
}

/* The step of an operation that has one. free(NULL) frees `null_slot`, realloc(p, 0) frees p. */
static inline struct step step_from_op(const struct trace_op *op, uint32_t null_slot)
{
    bool frees = op->kind == TRACE_FREE || trace_op_frees(op);
    return (struct step){
        .slot = op_frees_null(op) ? null_slot : op->slot,
        .kind = frees ? TRACE_FREE : (enum trace_kind)op->kind,
        .size = frees ? 0 : op->size,
        .operand = op->count,
    };
}

/* Writes a step to at[STEP_WORDS_MAX]; returns the number of words. */
static inline size_t step_put(uint64_t *at, const struct step *step)
{
    size_t n = 1;
    bool is_long = step->size >= STEP_SIZE_LONG;
    uint64_t size = is_long ? STEP_SIZE_LONG : step->size;
    at[0] = step->slot | (uint64_t)step->kind << STEP_KIND_SHIFT | size << STEP_SIZE_SHIFT;
    if (step_has_operand(step->kind))
        at[n++] = step->operand;
    if (is_long)
        at[n++] = step->size;
    return n;
}

#endif
