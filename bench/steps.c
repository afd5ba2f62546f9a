/*
 * From trace operations to steps. Nothing of the trace is trusted here but what the reader has
 * verified.
 */
#include "steps.h"

#include "own_memory.h"
#include "touched.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HASHED_STEPS = 256 }; /* arbitrary: what fits a stack */

bool steps_open(struct steps *steps, size_t words)
{
    *steps = (struct steps){0};
    return own_memory_reserve((void **)&steps->words, &steps->capacity, sizeof(uint64_t),
                              words ? words : 1);
}

void steps_close(struct steps *steps)
{
    own_memory_unmap(steps->words, steps->capacity * sizeof(uint64_t));
    own_memory_unmap(steps->pauses, steps->pauses_capacity * sizeof(*steps->pauses));
    *steps = (struct steps){0};
}

void steps_clear(struct steps *steps)
{
    steps->used = 0;
    steps->count = 0;
    steps->pauses_count = 0;
}

static bool pause_add(struct steps *steps, uint32_t ms)
{
    if (!own_memory_reserve((void **)&steps->pauses, &steps->pauses_capacity,
                            sizeof(*steps->pauses), steps->pauses_count + 1))
        return false;
    steps->pauses[steps->pauses_count++] = (struct step_pause){steps->count, ms};
    return true;
}

bool steps_add(struct steps *steps, const struct trace_op *op, uint32_t null_slot)
{
    uint32_t ms = pause_before(&steps->finder, op->time_ns);
    if (ms > 0 && !pause_add(steps, ms))
        return false;
    if (!op_has_step(op))
        return true;
    if (!own_memory_reserve((void **)&steps->words, &steps->capacity, sizeof(uint64_t),
                            steps->used + STEP_WORDS_MAX))
        return false;
    struct step step = step_from_op(op, null_slot);
    if (steps->touched != NULL && !touched_add(steps->touched, op, steps->used))
        return false;
    steps->used += step_put(steps->words + steps->used, &step);
    steps->count++;
    return true;
}

const uint64_t *steps_skip(const uint64_t *at, uint64_t n)
{
    for (; n > 0; n--)
        step_take(&at);
    return at;
}

static bool fault_errno(struct steps_fault *fault, const char *path)
{
    fault->unusable = false;
    snprintf(fault->error, sizeof(fault->error), "%s: %s", path, strerror(errno));
    return false;
}

static bool fault_say(struct steps_fault *fault, const char *path, const char *what)
{
    fault->unusable = true;
    snprintf(fault->error, sizeof(fault->error), "%s: %s", path, what);
    return false;
}

bool steps_source_open(struct steps_source *source, const char *path, struct steps_fault *fault)
{
    source->path = path;
    source->ops = NULL;
    source->skipped_ops = 0;
    source->ended = false;
    checksum_open(&source->checksum);
    fault->unusable = true;
    source->reader = trace_reader_open(path, fault->error);
    if (source->reader == NULL)
        return false;
    const struct trace_totals *totals = trace_reader_totals(source->reader);
    if (totals->slots > totals->ops || totals->slots >= TRACE_NO_SLOT)
        return fault_say(fault, path, "more slots than operations");
    source->null_slot = (uint32_t)totals->slots;
    source->ops = own_memory_map(TRACE_BLOCK_OPS * sizeof(struct trace_op));
    return source->ops != NULL || fault_errno(fault, path);
}

uint64_t steps_source_count(const struct steps_source *source)
{
    const struct trace_totals *totals = trace_reader_totals(source->reader);
    return totals->ops - totals->failed - totals->by_kind[TRACE_THREAD_START] -
           totals->by_kind[TRACE_THREAD_END];
}

/* Adds the steps of ops[n] to the checksum; false: a slot is not one of the trace's. */
static bool source_hash(struct steps_source *source, const struct trace_op *ops, size_t n)
{
    struct step steps[HASHED_STEPS];
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        source->skipped_ops += (ops[i].flags & TRACE_FAILED) != 0;
        if (!op_has_step(&ops[i]))
            continue;
        steps[used] = step_from_op(&ops[i], source->null_slot);
        if (steps[used].slot >= source->null_slot && !op_frees_null(&ops[i]))
            return false;
        used++;
    }
    checksum_add(&source->checksum, steps, used);
    return true;
}

bool steps_source_next(struct steps_source *source, size_t *n, struct steps_fault *fault)
{
    if (!trace_reader_next(source->reader, source->ops, n)) {
        fault->unusable = true;
        snprintf(fault->error, sizeof(fault->error), "%s", trace_reader_error(source->reader));
        return false;
    }
    source->ended = *n == 0;
    for (size_t i = 0; i < *n; i += HASHED_STEPS) {
        size_t part = *n - i < HASHED_STEPS ? *n - i : HASHED_STEPS;
        if (!source_hash(source, source->ops + i, part))
            return fault_say(fault, source->path, "more blocks live at once than the trace says");
    }
    return true;
}

bool steps_source_read(struct steps_source *source, struct steps *steps, uint64_t wanted,
                       struct steps_fault *fault)
{
    while (steps->count < wanted && !source->ended) {
        size_t n;
        if (!steps_source_next(source, &n, fault))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!steps_add(steps, &source->ops[i], source->null_slot))
                return fault_errno(fault, source->path);
    }
    return true;
}

void steps_source_close(struct steps_source *source)
{
    if (source->reader != NULL)
        trace_reader_close(source->reader);
    own_memory_unmap(source->ops, TRACE_BLOCK_OPS * sizeof(struct trace_op));
    source->reader = NULL;
    source->ops = NULL;
}

/* The position in ops[n] of the op that became step *index; n, and *index less, if it is later.
   Adds the steps up to there to *steps. */
static size_t block_find_step(const struct trace_op *ops, size_t n, uint32_t thread,
                              uint64_t *index, uint64_t *steps)
{
    for (size_t i = 0; i < n; i++) {
        bool is_its = thread == STEPS_ANY_THREAD || ops[i].thread == thread;
        if (!op_has_step(&ops[i]))
            continue;
        ++*steps;
        if (is_its && (*index)-- == 0)
            return i;
    }
    return n;
}

struct found_op steps_find_op(const char *path, uint32_t thread, uint64_t index)
{
    static struct steps_source source;
    struct steps_fault fault;
    struct found_op found = {0};
    uint64_t before = 0;
    uint64_t steps = 0;
    size_t n = 0;
    if (steps_source_open(&source, path, &fault))
        while (found.number == 0 && steps_source_next(&source, &n, &fault) && n > 0) {
            size_t i = block_find_step(source.ops, n, thread, &index, &steps);
            if (i < n)
                found = (struct found_op){before + i + 1, steps, source.ops[i].thread};
            before += n;
        }
    steps_source_close(&source);
    return found;
}
