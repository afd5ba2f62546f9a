/*
 * The account of blocks and threads behind every excerpt, and the loop over its source.
 */
#include "excerpt.h"

#include "pages.h"
#include "trace_copy.h"
#include "trace_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool excerpt_fail_errno(struct excerpt *excerpt)
{
    snprintf(excerpt->error, sizeof excerpt->error, "taking a part of the trace: %s",
             strerror(errno));
    return false;
}

struct excerpt_block *excerpt_block(struct excerpt *excerpt, const struct trace_op *op)
{
    return &excerpt->blocks[op->slot];
}

bool excerpt_names(const struct trace_op *op)
{
    return (op->kind == TRACE_FREE || op->kind == TRACE_REALLOC) && !(op->flags & TRACE_NULL);
}

/* Room for the slot and the thread of op. */
static bool excerpt_reserve(struct excerpt *excerpt, const struct trace_op *op)
{
    void *blocks = excerpt->blocks, *threads = excerpt->threads;
    size_t wanted = op->slot == TRACE_NO_SLOT ? 0 : (size_t)op->slot + 1;
    bool ok = pages_reserve(&blocks, &excerpt->blocks_capacity, sizeof *excerpt->blocks, wanted);
    excerpt->blocks = blocks;
    ok = ok && pages_reserve(&threads, &excerpt->threads_capacity, sizeof *excerpt->threads,
                             (size_t)op->thread + 1);
    excerpt->threads = threads;
    return ok || excerpt_fail_errno(excerpt);
}

/* The gaps of operations that were left out belong to the next one of their thread. */
static uint64_t gap_take(struct excerpt *excerpt, uint32_t thread)
{
    uint64_t gap_ns = excerpt->threads[thread].gap_ns;
    excerpt->threads[thread].gap_ns = 0;
    return gap_ns;
}

static bool thread_put(struct excerpt *excerpt, uint32_t thread, enum trace_kind kind,
                       uint64_t time_ns)
{
    struct trace_op op = {.slot = TRACE_NO_SLOT,
                          .thread = excerpt->threads[thread].number - 1,
                          .time_ns = time_ns,
                          .gap_ns = gap_take(excerpt, thread),
                          .kind = (uint8_t)kind};
    excerpt->written++;
    return trace_writer_add(excerpt->writer, &op);
}

/* Writes the thread's start unless it is there. */
static bool thread_start(struct excerpt *excerpt, uint32_t thread, uint64_t time_ns)
{
    if (excerpt->threads[thread].number != 0)
        return true;
    excerpt->threads[thread].number = ++excerpt->threads_written;
    excerpt->threads[thread].gap_ns = 0;
    return thread_put(excerpt, thread, TRACE_THREAD_START, time_ns);
}

static bool thread_end(struct excerpt *excerpt, uint32_t thread, uint64_t time_ns)
{
    excerpt->threads[thread].has_ended = true;
    if (!excerpt->writing || excerpt->threads[thread].number == 0)
        return true;
    return thread_put(excerpt, thread, TRACE_THREAD_END, time_ns);
}

/* op, whose thread and slot are those of the source. */
static bool op_write(struct excerpt *excerpt, struct trace_op op)
{
    op.time_ns -= excerpt->base_ns;
    if (!thread_start(excerpt, op.thread, op.time_ns))
        return false;
    op.gap_ns = gap_take(excerpt, op.thread);
    if (op.slot != TRACE_NO_SLOT)
        op.slot = excerpt->blocks[op.slot].slot;
    op.thread = excerpt->threads[op.thread].number - 1;
    excerpt->written++;
    return trace_writer_add(excerpt->writer, &op);
}

/* What op leaves in its slot, where it makes or resizes a block. */
static void block_note(struct excerpt *excerpt, const struct trace_op *op)
{
    struct excerpt_block *block = excerpt_block(excerpt, op);
    bool makes = trace_op_makes(op);
    block->order = ++excerpt->order;
    block->size = op->size;
    block->count = op->count;
    block->thread = op->thread;
    block->site = op->site;
    block->kind = op->kind == TRACE_REALLOC ? TRACE_MALLOC : op->kind;
    if (makes) {
        block->maker = op->thread;
        block->made_by = op->kind;
    }
}

static bool op_changes(const struct trace_op *op)
{
    return !(op->flags & TRACE_FAILED) && (trace_op_makes(op) || excerpt_names(op));
}

static bool block_take_slot(struct excerpt *excerpt, struct excerpt_block *block)
{
    return slot_pool_take(&excerpt->slots, &block->slot) || excerpt_fail_errno(excerpt);
}

/* Once it is freed, its slot is free here as well. */
static bool block_end(struct excerpt *excerpt, struct excerpt_block *block)
{
    block->kept = false;
    return !excerpt->writing || slot_pool_put(&excerpt->slots, block->slot) ||
           excerpt_fail_errno(excerpt);
}

bool excerpt_put(struct excerpt *excerpt, const struct trace_op *op)
{
    if (op->kind == TRACE_THREAD_END)
        return thread_end(excerpt, op->thread, op->time_ns - excerpt->base_ns);
    if (op->kind == TRACE_THREAD_START)
        return !excerpt->writing ||
               thread_start(excerpt, op->thread, op->time_ns - excerpt->base_ns);
    bool changes = op_changes(op);
    if (changes && !trace_op_frees(op)) {
        block_note(excerpt, op);
        excerpt_block(excerpt, op)->kept = true;
    }
    if (excerpt->writing && trace_op_makes(op) &&
        !block_take_slot(excerpt, excerpt_block(excerpt, op)))
        return false;
    if (excerpt->writing && !op_write(excerpt, *op))
        return false;
    return !(changes && trace_op_frees(op)) || block_end(excerpt, excerpt_block(excerpt, op));
}

bool excerpt_skip(struct excerpt *excerpt, const struct trace_op *op)
{
    if (op_changes(op) && !trace_op_frees(op))
        block_note(excerpt, op);
    return true;
}

bool excerpt_adopt(struct excerpt *excerpt, const struct trace_op *op)
{
    struct trace_op made = *op;
    struct excerpt_block before = *excerpt_block(excerpt, op);
    made.flags = TRACE_NULL;
    excerpt->made_by_realloc += excerpt->writing;
    if (!excerpt_put(excerpt, &made))
        return false;
    excerpt_block(excerpt, op)->maker = before.maker;
    excerpt_block(excerpt, op)->made_by = before.made_by;
    return true;
}

bool excerpt_release(struct excerpt *excerpt, const struct trace_op *op, uint32_t thread)
{
    struct excerpt_block *block = excerpt_block(excerpt, op);
    struct trace_op end = {
        .kind = TRACE_FREE, .slot = op->slot, .thread = thread, .time_ns = op->time_ns};
    excerpt->released += excerpt->writing;
    if (excerpt->threads[thread].has_ended) {
        block->kept = false; /* its slot is not given back: in what is written it lives on */
        return true;
    }
    return (!excerpt->writing || op_write(excerpt, end)) && block_end(excerpt, block);
}

static int block_compare(const void *a, const void *b)
{
    const struct excerpt_block *left = *(struct excerpt_block *const *)a;
    const struct excerpt_block *right = *(struct excerpt_block *const *)b;
    return (left->order > right->order) - (left->order < right->order);
}

static bool block_make(struct excerpt *excerpt, struct excerpt_block *block)
{
    struct trace_op op = {
        .size = block->size,
        .count = block->count,
        .time_ns = excerpt->base_ns,
        .slot = (uint32_t)(block - excerpt->blocks),
        .thread = block->thread,
        .site = block->site,
        .kind = block->kind,
    };
    return block_take_slot(excerpt, block) && op_write(excerpt, op);
}

/* Threads that are there only for what they left end at once. */
static bool ended_threads_end(struct excerpt *excerpt)
{
    bool ok = true;
    for (size_t i = 0; ok && i < excerpt->threads_capacity; i++) {
        if (excerpt->threads[i].has_ended && excerpt->threads[i].number != 0)
            ok = thread_end(excerpt, (uint32_t)i, 0);
    }
    return ok;
}

bool excerpt_begin(struct excerpt *excerpt, uint64_t base_ns)
{
    struct excerpt_block **kept = malloc((excerpt->blocks_capacity + 1) * sizeof *kept);
    size_t n = 0;
    if (kept == NULL)
        return excerpt_fail_errno(excerpt);
    for (size_t i = 0; i < excerpt->blocks_capacity; i++) {
        if (excerpt->blocks[i].kept)
            kept[n++] = &excerpt->blocks[i];
    }
    qsort(kept, n, sizeof *kept, block_compare);
    for (size_t i = 0; i < excerpt->threads_capacity; i++)
        excerpt->threads[i].gap_ns = 0;
    excerpt->base_ns = base_ns;
    excerpt->writing = true;
    excerpt->made_at_start = n;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = block_make(excerpt, kept[i]);
    free(kept);
    ok = ok && ended_threads_end(excerpt);
    excerpt->written = 0;
    return ok;
}

static bool operation_pass(struct excerpt *excerpt, excerpt_rule rule, void *cookie,
                           const struct trace_op *op)
{
    if (!excerpt_reserve(excerpt, op))
        return false;
    excerpt->threads[op->thread].gap_ns += op->gap_ns;
    return rule(excerpt, op, cookie);
}

/* 0, 1 or 2, having said what is wrong. */
static int operations_pass(struct excerpt *excerpt, excerpt_rule rule, void *cookie,
                           struct trace_op *ops)
{
    size_t n;
    do {
        if (!trace_reader_next(excerpt->reader, ops, &n)) {
            fprintf(stderr, "%s\n", trace_reader_error(excerpt->reader));
            return 2;
        }
        for (size_t i = 0; i < n && !excerpt->done; i++) {
            if (operation_pass(excerpt, rule, cookie, &ops[i]))
                continue;
            const char *fault = trace_writer_error(excerpt->writer);
            fprintf(stderr, "%s\n", excerpt->error[0] ? excerpt->error : fault);
            return 1;
        }
    } while (n > 0 && !excerpt->done);
    return 0;
}

/* The closing line, where something had to be changed, or nothing is left. */
static void summary_print(const struct excerpt *excerpt, const char *out)
{
    const struct {
        uint64_t count;
        const char *what;
    } changes[] = {
        {excerpt->made_at_start, "blocks live at the start, made first"},
        {excerpt->left_out_frees, "frees of blocks that are not there, left out"},
        {excerpt->made_by_realloc, "reallocs of blocks that are not there, which make them"},
        {excerpt->released, "blocks that leave before their end, freed there"},
    };
    const char *before = ":", *end = "";
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (changes[i].count == 0)
            continue;
        fprintf(stderr, "%s%s %s: %" PRIu64, *end ? "" : out, before, changes[i].what,
                changes[i].count);
        before = ";";
        end = "\n";
    }
    if (excerpt->written == 0)
        fprintf(stderr, "%s%s no operation was chosen\n", *end ? "" : out, before);
    else
        fputs(end, stderr);
}

static int excerpt_finish(struct excerpt *excerpt, const char *out)
{
    struct trace_text losses = {.length = 0};
    char error[TRACE_ERROR_MAX];
    trace_text_add_all(&losses, trace_reader_losses(excerpt->reader));
    trace_text_count(&losses, "made_at_start", excerpt->made_at_start);
    trace_text_count(&losses, "left_out_frees", excerpt->left_out_frees);
    trace_text_count(&losses, "made_by_realloc", excerpt->made_by_realloc);
    trace_text_count(&losses, "released", excerpt->released);
    struct trace_writer *writer = excerpt->writer;
    excerpt->writer = NULL;
    if (!trace_writer_finish(writer, losses.bytes, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    summary_print(excerpt, out);
    return 0;
}

static bool excerpt_open(struct excerpt *excerpt, const char *in, const char *out, const char *step)
{
    struct trace_text origin = {.length = 0};
    char error[TRACE_ERROR_MAX];
    excerpt->reader = trace_reader_open(in, error);
    if (excerpt->reader != NULL) {
        trace_text_add_all(&origin, trace_reader_origin(excerpt->reader));
        if (step != NULL)
            trace_text_extend(&origin, "excerpt", step);
        excerpt->writer = trace_copy_open(out, origin.bytes, excerpt->reader, TRACE_COLUMNS, error);
    }
    if (excerpt->writer == NULL)
        fprintf(stderr, "%s\n", error);
    return excerpt->writer != NULL;
}

static void excerpt_close(struct excerpt *excerpt)
{
    if (excerpt->reader != NULL)
        trace_reader_close(excerpt->reader);
    if (excerpt->writer != NULL)
        trace_writer_abandon(excerpt->writer);
    pages_unmap(excerpt->blocks, excerpt->blocks_capacity * sizeof *excerpt->blocks);
    pages_unmap(excerpt->threads, excerpt->threads_capacity * sizeof *excerpt->threads);
    slot_pool_close(&excerpt->slots);
}

int excerpt_run(const char *in, const char *out, const char *step, excerpt_rule rule, void *cookie)
{
    static struct excerpt excerpt;
    int status = 2;
    excerpt = (struct excerpt){0};
    if (excerpt_open(&excerpt, in, out, step)) {
        size_t bytes = TRACE_BLOCK_OPS * sizeof(struct trace_op);
        struct trace_op *ops = pages_map(bytes);
        if (ops == NULL)
            fprintf(stderr, "%s: %s\n", in, strerror(errno));
        status = ops == NULL ? 1 : operations_pass(&excerpt, rule, cookie, ops);
        if (status == 0 && !excerpt.writing && !excerpt_begin(&excerpt, 0))
            status = 1;
        status = status == 0 ? excerpt_finish(&excerpt, out) : status;
        pages_unmap(ops, bytes);
    }
    excerpt_close(&excerpt);
    return status;
}
