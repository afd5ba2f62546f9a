/*
 * From trace operations to steps. Nothing of the trace is trusted here but what the reader has
 * verified; slots are compared with the size of the table again, since they index memory.
 */
#include "steps.h"

#include "own_memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t kind_of_op[TRACE_KINDS] = {
    [TRACE_MALLOC] = STEP_MALLOC,
    [TRACE_CALLOC] = STEP_CALLOC,
    [TRACE_REALLOC] = STEP_REALLOC,
    [TRACE_FREE] = STEP_FREE,
    [TRACE_ALIGNED_ALLOC] = STEP_ALIGNED_ALLOC,
    [TRACE_MEMALIGN] = STEP_MEMALIGN,
    [TRACE_POSIX_MEMALIGN] = STEP_POSIX_MEMALIGN,
    [TRACE_VALLOC] = STEP_VALLOC,
    [TRACE_PVALLOC] = STEP_PVALLOC,
};

bool steps_open(struct steps *steps, size_t words)
{
    *steps = (struct steps){0};
    return own_memory_reserve((void **)&steps->words, &steps->capacity, sizeof(uint64_t),
                              words ? words : 1);
}

void steps_close(struct steps *steps)
{
    own_memory_unmap(steps->words, steps->capacity * sizeof(uint64_t));
    *steps = (struct steps){0};
}

void steps_clear(struct steps *steps)
{
    steps->used = 0;
    steps->count = 0;
}

/* The kind of the step; realloc(p, 0) replays as a free. */
static enum step_kind step_kind_of(const struct trace_op *op)
{
    return trace_op_frees(op) ? STEP_FREE : (enum step_kind)kind_of_op[op->kind];
}

static void steps_put(struct steps *steps, const struct step *step)
{
    bool is_long = step->size >= STEP_SIZE_LONG;
    uint64_t size = is_long ? STEP_SIZE_LONG : step->size;
    steps->words[steps->used++] =
        step->slot | (uint64_t)step->kind << STEP_KIND_SHIFT | size << STEP_SIZE_SHIFT;
    if (step_has_operand(step->kind))
        steps->words[steps->used++] = step->operand;
    if (is_long)
        steps->words[steps->used++] = step->size;
    steps->count++;
}

static bool op_has_step(const struct trace_op *op)
{
    return op->kind < TRACE_THREAD_START && !(op->flags & TRACE_FAILED);
}

bool steps_add(struct steps *steps, const struct trace_op *op, uint32_t null_slot)
{
    if (!op_has_step(op)) {
        steps->skipped_ops += (op->flags & TRACE_FAILED) != 0;
        return true;
    }
    if (!own_memory_reserve((void **)&steps->words, &steps->capacity, sizeof(uint64_t),
                            steps->used + STEP_WORDS_MAX))
        return false;
    bool null_free = op->kind == TRACE_FREE && (op->flags & TRACE_NULL);
    enum step_kind kind = null_free ? STEP_FREE : step_kind_of(op);
    steps_put(steps, &(struct step){
                         .slot = null_free ? null_slot : op->slot,
                         .kind = kind,
                         .size = kind == STEP_FREE ? 0 : op->size,
                         .operand = op->count,
                     });
    return true;
}

const uint64_t *steps_skip(const uint64_t *at, uint64_t n)
{
    for (; n > 0; n--)
        step_take(&at);
    return at;
}

bool steps_source_open(struct steps_source *source, const char *path, bool *unusable,
                       char error[TRACE_ERROR_MAX])
{
    *source = (struct steps_source){.path = path};
    *unusable = true;
    source->reader = trace_reader_open(path, error);
    if (source->reader == NULL)
        return false;
    const struct trace_totals *totals = trace_reader_totals(source->reader);
    if (totals->slots > totals->ops || totals->slots >= TRACE_NO_SLOT) {
        snprintf(error, TRACE_ERROR_MAX, "%s: more slots than operations", path);
        return false;
    }
    source->null_slot = (uint32_t)totals->slots;
    source->ops = own_memory_map(TRACE_BLOCK_OPS * sizeof(struct trace_op));
    *unusable = false;
    if (source->ops == NULL)
        snprintf(error, TRACE_ERROR_MAX, "%s: %s", path, strerror(errno));
    return source->ops != NULL;
}

uint64_t steps_source_count(const struct steps_source *source)
{
    const struct trace_totals *totals = trace_reader_totals(source->reader);
    return totals->ops - totals->failed - totals->by_kind[TRACE_THREAD_START] -
           totals->by_kind[TRACE_THREAD_END];
}

static bool op_slot_is_sane(const struct trace_op *op, uint32_t slots)
{
    bool null_free = op->kind == TRACE_FREE && (op->flags & TRACE_NULL);
    return op->slot < slots || null_free || !op_has_step(op);
}

static bool source_add_block(struct steps_source *source, struct steps *steps, size_t n,
                             bool *unusable, char *error)
{
    for (size_t i = 0; i < n; i++) {
        *unusable = !op_slot_is_sane(&source->ops[i], source->null_slot);
        if (*unusable) {
            snprintf(error, TRACE_ERROR_MAX, "%s: more blocks live at once than the trace says",
                     source->path);
            return false;
        }
        if (!steps_add(steps, &source->ops[i], source->null_slot)) {
            snprintf(error, TRACE_ERROR_MAX, "%s: %s", source->path, strerror(errno));
            return false;
        }
    }
    return true;
}

bool steps_source_read(struct steps_source *source, struct steps *steps, uint64_t wanted,
                       bool *unusable, char error[TRACE_ERROR_MAX])
{
    while (steps->count < wanted && !source->ended) {
        size_t n;
        if (!trace_reader_next(source->reader, source->ops, &n)) {
            *unusable = true;
            snprintf(error, TRACE_ERROR_MAX, "%s", trace_reader_error(source->reader));
            return false;
        }
        source->ended = n == 0;
        if (!source_add_block(source, steps, n, unusable, error))
            return false;
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

/* The position in ops[n] of the op that became step *index; n, and *index less, if it is later. */
static size_t block_find_step(const struct trace_op *ops, size_t n, uint64_t *index)
{
    for (size_t i = 0; i < n; i++)
        if (op_has_step(&ops[i]) && (*index)-- == 0)
            return i;
    return n;
}

uint64_t steps_find_op(const char *path, uint64_t index)
{
    struct steps_source source;
    char error[TRACE_ERROR_MAX];
    bool unusable;
    uint64_t before = 0;
    uint64_t found = 0;
    size_t n = 0;
    if (steps_source_open(&source, path, &unusable, error))
        while (found == 0 && trace_reader_next(source.reader, source.ops, &n) && n > 0) {
            size_t i = block_find_step(source.ops, n, &index);
            found = i < n ? before + i + 1 : 0;
            before += n;
        }
    steps_source_close(&source);
    return found;
}
