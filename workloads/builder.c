/*
 * From calls that name blocks by address to operations on the records of live blocks, which the
 * writer names by serial. Two maps, of the blocks by address and of the running threads by the
 * caller's number; what is written is the writer's.
 */
#include "builder.h"

#include "block_map.h"
#include "pages.h"
#include "races.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct builder {
    struct trace_writer *writer;
    struct map blocks;     /* by address */
    struct map threads;    /* by the caller's number, those that have not ended */
    struct entry *running; /* of the last call, in `threads`; NULL: not known */
    uint64_t time_ns;      /* of the last operation */
    bool holds;            /* allocations at live addresses */
    struct races races;    /* those held */
    struct builder_counts counts;
    char error[TRACE_ERROR_MAX]; /* empty: the writer knows */
};

static bool builder_fail_errno(struct builder *builder)
{
    snprintf(builder->error, sizeof builder->error, "building the trace: %s", strerror(errno));
    return false;
}

struct builder *builder_open(const char *path, const char *origin, unsigned columns,
                             char error[TRACE_ERROR_MAX])
{
    struct builder *builder = pages_map(sizeof *builder);
    if (builder == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        return NULL;
    }
    builder->writer = trace_writer_open_columns(path, origin, columns, error);
    if (builder->writer != NULL)
        return builder;
    pages_unmap(builder, sizeof *builder);
    return NULL;
}

void builder_sites(struct builder *builder, const struct sites *sites)
{
    trace_writer_sites(builder->writer, sites);
}

static void builder_close(struct builder *builder)
{
    map_close(&builder->blocks);
    map_close(&builder->threads);
    races_close(&builder->races);
    pages_unmap(builder, sizeof *builder);
}

/* `block`: see trace_writer_put. */
static bool op_emit(struct builder *builder, const struct trace_op *op, struct live_block *block)
{
    if (!trace_writer_put(builder->writer, op, block))
        return false;
    builder->counts.ops++;
    return true;
}

/* An operation of the last call's time. */
static struct trace_op op_now(const struct builder *builder, enum trace_kind kind, uint32_t thread)
{
    return (struct trace_op){
        .time_ns = builder->time_ns,
        .slot = TRACE_NO_SLOT,
        .thread = thread,
        .kind = (uint8_t)kind,
    };
}

/* Finds the call's thread, which starts now if it was not known. */
static bool thread_find(struct builder *builder, uint64_t key)
{
    if (builder->running != NULL && builder->running->key == key)
        return true;
    builder->running = map_find(&builder->threads, key);
    if (builder->running != NULL)
        return true;
    uint32_t number = (uint32_t)builder->counts.threads;
    struct trace_op start = op_now(builder, TRACE_THREAD_START, number);
    if (!op_emit(builder, &start, NULL))
        return false;
    builder->counts.threads++;
    builder->running = map_add(&builder->threads, key);
    if (builder->running == NULL)
        return builder_fail_errno(builder);
    builder->running->block = (struct live_block){.serial = 1, .thread = number};
    return true;
}

/* The time since the call before of the running thread, whose end stands in `bytes` of its entry.
 */
static uint64_t gap_take(struct builder *builder, const struct call *call)
{
    uint64_t *end = &builder->running->block.bytes;
    uint64_t gap = *end > 0 && call->begin_ns > *end ? call->begin_ns - *end : 0;
    if (call->end_ns > *end)
        *end = call->end_ns;
    return gap;
}

/* The system gives a thread's number away again once it has ended: the next is another thread. */
static bool thread_end(struct builder *builder, const struct trace_op *op)
{
    map_remove(&builder->threads, builder->running);
    builder->running = NULL;
    return op_emit(builder, op, NULL);
}

/* Emits op, which ends the block of this entry. */
static bool block_end(struct builder *builder, const struct trace_op *op, struct entry *entry)
{
    bool emitted = op_emit(builder, op, &entry->block);
    map_remove(&builder->blocks, entry);
    return emitted;
}

static bool call_add(struct builder *builder, const struct call *call);

/* As if the block at its result had been freed unseen. */
static bool call_force(struct builder *builder, const struct call *call)
{
    bool holds = builder->holds;
    builder->holds = false;
    bool added = call_add(builder, call);
    builder->holds = holds;
    return added;
}

/* One call an address: what was held before it cannot wait any longer. */
static bool call_hold(struct builder *builder, const struct call *call)
{
    struct call before;
    if (races_take(&builder->races, call->result, &before) && !call_force(builder, &before))
        return false;
    return races_hold(&builder->races, call) || builder_fail_errno(builder);
}

/* Emits op, which makes a block at the call's result, or resizes `block` to it. A block that lives
   there must have been freed unseen, or its free is still to come. */
static bool block_begin(struct builder *builder, const struct trace_op *op, const struct call *call,
                        struct live_block block)
{
    struct entry *entry = map_add(&builder->blocks, call->result);
    if (entry == NULL)
        return builder_fail_errno(builder);
    if (entry->block.serial != 0 && builder->holds)
        return call_hold(builder, call);
    if (entry->block.serial != 0) {
        struct trace_op unseen = op_now(builder, TRACE_FREE, op->thread);
        builder->counts.repaired_inversions++;
        if (!op_emit(builder, &unseen, &entry->block))
            return false;
    }
    entry->block = block;
    return op_emit(builder, op, &entry->block);
}

static uint64_t alignment_round(uint64_t alignment)
{
    uint64_t power = 1;
    while (power < alignment && power < UINT64_C(1) << 63)
        power *= 2;
    return power;
}

static bool call_makes(struct builder *builder, const struct call *call, struct trace_op *op)
{
    unsigned shape = op_shape(op);
    op->size = call->size;
    if (shape & SHAPE_COUNT)
        op->count = call->count;
    if (call->result == 0) {
        op->flags |= TRACE_FAILED;
        return op_emit(builder, op, NULL);
    }
    if (shape & SHAPE_ALIGNED)
        op->count = alignment_round(call->count);
    return block_begin(builder, op, call, (struct live_block){0});
}

/* What was present of a block that op gives up or resizes. */
static uint64_t present_of(const struct call *call, const struct entry *entry)
{
    uint64_t bytes = entry->block.bytes;
    return call->present > bytes + 1 ? bytes + 1 : call->present;
}

static bool call_frees(struct builder *builder, const struct call *call, struct trace_op *op,
                       struct entry *entry)
{
    if (entry != NULL) {
        op->present = present_of(call, entry);
        return block_end(builder, op, entry);
    }
    op->flags = TRACE_NULL;
    return op_emit(builder, op, NULL);
}

/* An allocator may answer realloc(p, 0) with a new block of no bytes; in a trace it only frees, so
   that block is made by a malloc of its own. */
static bool realloc_to_nothing(struct builder *builder, const struct call *call,
                               const struct trace_op *op, struct entry *entry)
{
    if (!block_end(builder, op, entry))
        return false;
    struct trace_op made = op_now(builder, TRACE_MALLOC, op->thread);
    made.site = op->site;
    return call->result == 0 || call_makes(builder, call, &made);
}

static bool call_resizes(struct builder *builder, const struct call *call, struct trace_op *op,
                         struct entry *entry)
{
    if (entry == NULL) {
        op->flags = TRACE_NULL;
        return call_makes(builder, call, op);
    }
    if (call->result != 0 || call->size == 0)
        op->present = present_of(call, entry);
    if (call->size == 0)
        return realloc_to_nothing(builder, call, op, entry);
    op->size = call->size;
    if (call->result == 0)
        op->flags = TRACE_FAILED;
    if (call->result == 0 || call->result == call->old)
        return op_emit(builder, op, &entry->block);
    if (builder->holds && map_find(&builder->blocks, call->result) != NULL)
        return call_hold(builder, call);
    struct live_block block = entry->block;
    map_remove(&builder->blocks, entry);
    return block_begin(builder, op, call, block);
}

/* Counts a call that names a block never seen; true if nothing of the call is left. */
static bool call_is_lost(struct builder *builder, const struct call *call)
{
    if (call->kind == TRACE_FREE) {
        builder->counts.unknown_frees++;
        return true;
    }
    builder->counts.unknown_reallocs++;
    return call->size == 0 && call->result == 0;
}

static bool call_add(struct builder *builder, const struct call *call)
{
    bool names = (call->kind == TRACE_FREE || call->kind == TRACE_REALLOC) && call->old != 0;
    struct entry *entry = names ? map_find(&builder->blocks, call->old) : NULL;
    if (call->time_ns > builder->time_ns)
        builder->time_ns = call->time_ns;
    if (names && entry == NULL && call_is_lost(builder, call))
        return true;
    if (!thread_find(builder, call->thread))
        return false;
    struct trace_op op = op_now(builder, call->kind, builder->running->block.thread);
    op.gap_ns = gap_take(builder, call);
    op.site = call->site;
    switch (call->kind) {
    case TRACE_THREAD_START:
        return true;
    case TRACE_THREAD_END:
        return thread_end(builder, &op);
    case TRACE_FREE:
        return call_frees(builder, call, &op, entry);
    case TRACE_REALLOC:
        return call_resizes(builder, call, &op, entry);
    default:
        return call_makes(builder, call, &op);
    }
}

/* After a call that gave up an address: what was held for it, and what that gives up in turn. A
   thread that has ended meanwhile does not begin again. */
static bool races_repair(struct builder *builder, const struct call *call)
{
    struct call held;
    uint64_t thread = call->thread;
    for (uint64_t old = call->old; old != 0; old = held.old) {
        if (map_find(&builder->blocks, old) != NULL || !races_take(&builder->races, old, &held))
            return true;
        if (map_find(&builder->threads, held.thread) == NULL)
            held.thread = thread;
        builder->counts.repaired_inversions++;
        if (!call_add(builder, &held))
            return false;
    }
    return true;
}

bool builder_add(struct builder *builder, const struct call *call)
{
    if (!call_add(builder, call))
        return false;
    return builder->races.count == 0 || races_repair(builder, call);
}

void builder_hold_races(struct builder *builder)
{
    builder->holds = true;
}

bool builder_release_races(struct builder *builder)
{
    struct call held;
    while (races_take_any(&builder->races, &held)) {
        if (!call_force(builder, &held))
            return false;
    }
    return true;
}

bool builder_find(const struct builder *builder, uint64_t address, uint64_t *bytes)
{
    const struct entry *entry = map_find(&builder->blocks, address);
    if (entry == NULL)
        return false;
    *bytes = entry->block.bytes;
    return true;
}

static size_t loss_put(char *text, size_t at, const char *name, uint64_t count)
{
    if (count == 0)
        return at;
    return at + (size_t)snprintf(text + at, TRACE_TEXT_MAX - at, "%s=%" PRIu64 "\n", name, count);
}

/* The caller's losses, then the builder's own that are not zero. */
static void losses_join(const struct builder *builder, const char *losses, char *text)
{
    const struct builder_counts *counts = &builder->counts;
    const size_t most = TRACE_TEXT_MAX - 256; /* the builder's own lines fit behind it */
    size_t at = strnlen(losses, most);
    memcpy(text, losses, at);
    if (at > 0 && text[at - 1] != '\n')
        text[at++] = '\n';
    at = loss_put(text, at, "unknown_frees", counts->unknown_frees);
    at = loss_put(text, at, "unknown_reallocs", counts->unknown_reallocs);
    at = loss_put(text, at, "repaired_inversions", counts->repaired_inversions);
    text[at] = '\0';
}

bool builder_finish(struct builder *builder, const char *losses, char error[TRACE_ERROR_MAX])
{
    char text[TRACE_TEXT_MAX];
    builder_release_races(builder);
    if (builder->error[0] != '\0') {
        memcpy(error, builder->error, TRACE_ERROR_MAX);
        builder_abandon(builder);
        return false;
    }
    losses_join(builder, losses, text);
    bool ok = trace_writer_finish(builder->writer, text, error);
    builder_close(builder);
    return ok;
}

void builder_abandon(struct builder *builder)
{
    trace_writer_abandon(builder->writer);
    builder_close(builder);
}

const char *builder_error(const struct builder *builder)
{
    return builder->error[0] ? builder->error : trace_writer_error(builder->writer);
}

struct builder_counts builder_counts(const struct builder *builder)
{
    return builder->counts;
}
