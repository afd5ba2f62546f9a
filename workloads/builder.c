/*
 * From calls that name blocks by address to operations that name them by slot. Two maps, of live
 * addresses to slots and of running threads to their numbers; what is written is the writer's.
 */
#include "builder.h"

#include "pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAP_FIRST = 1024 };

/* Open addressing with linear probing and backward-shift deletion. */
struct entry {
    uint64_t key;
    uint32_t value;
    uint32_t used; /* 0: empty */
};

struct map {
    struct entry *entries;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

struct builder {
    struct trace_writer *writer;
    struct map slots;   /* by address */
    struct map threads; /* by the caller's number, those that have not ended */
    uint32_t *free_slots;
    size_t free_capacity;
    size_t free_count;
    uint32_t slots_used; /* slots below this were handed out at some time */
    uint64_t time_ns;    /* of the last operation */
    struct builder_counts counts;
    char error[TRACE_ERROR_MAX]; /* empty: the writer knows */
};

/* Fibonacci hashing, small neighbours in memory on one cache line: programs make and free them one
   after the other. Measured with a million live blocks: up to twice as fast as scattering each. */
static size_t key_home(const struct map *map, uint64_t key)
{
    size_t line = (size_t)((key >> 7) * UINT64_C(0x9e3779b97f4a7c15) >> 24);
    return (line << 2 | (key >> 5 & 3)) & (map->size - 1);
}

/* The entry of this key, or the empty one where it would go. The map is not empty-sized. */
static struct entry *map_seek(const struct map *map, uint64_t key)
{
    size_t i = key_home(map, key);
    while (map->entries[i].used && map->entries[i].key != key)
        i = (i + 1) & (map->size - 1);
    return &map->entries[i];
}

static struct entry *map_find(const struct map *map, uint64_t key)
{
    if (map->size == 0)
        return NULL;
    struct entry *entry = map_seek(map, key);
    return entry->used ? entry : NULL;
}

static void map_close(struct map *map)
{
    pages_unmap(map->entries, map->size * sizeof *map->entries);
}

/* At most two thirds full. */
static bool map_reserve(struct map *map)
{
    if ((map->count + 1) * 3 <= map->size * 2)
        return true;
    struct map grown = {.size = map->size ? map->size * 2 : MAP_FIRST, .count = map->count};
    grown.entries = pages_map(grown.size * sizeof *grown.entries);
    if (grown.entries == NULL)
        return false;
    for (size_t i = 0; i < map->size; i++) {
        if (map->entries[i].used)
            *map_seek(&grown, map->entries[i].key) = map->entries[i];
    }
    map_close(map);
    *map = grown;
    return true;
}

/* The key must not be in the map. false and errno when memory is out. */
static bool map_add(struct map *map, uint64_t key, uint32_t value)
{
    if (!map_reserve(map))
        return false;
    *map_seek(map, key) = (struct entry){key, value, 1};
    map->count++;
    return true;
}

static void map_remove(struct map *map, struct entry *entry)
{
    size_t mask = map->size - 1;
    size_t hole = (size_t)(entry - map->entries);
    for (size_t i = (hole + 1) & mask; map->entries[i].used; i = (i + 1) & mask) {
        size_t home = key_home(map, map->entries[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole].used = 0;
    map->count--;
}

static bool builder_fail_errno(struct builder *builder)
{
    snprintf(builder->error, sizeof builder->error, "building the trace: %s", strerror(errno));
    return false;
}

struct builder *builder_open(const char *path, const char *origin, char error[TRACE_ERROR_MAX])
{
    struct builder *builder = pages_map(sizeof *builder);
    if (builder == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        return NULL;
    }
    builder->writer = trace_writer_open(path, origin, error);
    if (builder->writer != NULL)
        return builder;
    pages_unmap(builder, sizeof *builder);
    return NULL;
}

static void builder_close(struct builder *builder)
{
    map_close(&builder->slots);
    map_close(&builder->threads);
    pages_unmap(builder->free_slots, builder->free_capacity * sizeof *builder->free_slots);
    pages_unmap(builder, sizeof *builder);
}

static bool op_emit(struct builder *builder, const struct trace_op *op)
{
    if (!trace_writer_add(builder->writer, op))
        return false;
    builder->counts.ops++;
    return true;
}

/* What all operations of a call have in common. */
static struct trace_op op_from_call(const struct call *call, uint32_t thread)
{
    return (struct trace_op){
        .size = call->kind == TRACE_FREE ? 0 : call->size,
        .time_ns = call->time_ns,
        .slot = TRACE_NO_SLOT,
        .thread = thread,
        .kind = (uint8_t)call->kind,
    };
}

static bool op_emit_thread(struct builder *builder, const struct call *call, uint32_t thread,
                           enum trace_kind kind)
{
    struct trace_op op = {
        .time_ns = call->time_ns,
        .slot = TRACE_NO_SLOT,
        .thread = thread,
        .kind = (uint8_t)kind,
    };
    return op_emit(builder, &op);
}

/* The dense number of the call's thread, which starts now if it was not known. */
static bool thread_number(struct builder *builder, const struct call *call, uint32_t *thread)
{
    struct entry *entry = map_find(&builder->threads, call->thread);
    if (entry != NULL) {
        *thread = entry->value;
        return true;
    }
    *thread = (uint32_t)builder->counts.threads;
    if (!op_emit_thread(builder, call, *thread, TRACE_THREAD_START))
        return false;
    builder->counts.threads++;
    return map_add(&builder->threads, call->thread, *thread) || builder_fail_errno(builder);
}

/* The system gives a thread's number away again once it has ended: the next is another thread. */
static bool thread_end(struct builder *builder, const struct call *call, uint32_t thread)
{
    map_remove(&builder->threads, map_find(&builder->threads, call->thread));
    return op_emit_thread(builder, call, thread, TRACE_THREAD_END);
}

static uint32_t slot_take(struct builder *builder)
{
    return builder->free_count > 0 ? builder->free_slots[--builder->free_count]
                                   : builder->slots_used++;
}

static bool slot_put(struct builder *builder, uint32_t slot)
{
    void *p = builder->free_slots;
    if (!pages_reserve(&p, &builder->free_capacity, sizeof slot, builder->free_count + 1))
        return builder_fail_errno(builder);
    builder->free_slots = p;
    builder->free_slots[builder->free_count++] = slot;
    return true;
}

/* Emits op, which ends the block of this entry. */
static bool block_end(struct builder *builder, struct trace_op *op, struct entry *entry)
{
    op->slot = entry->value;
    map_remove(&builder->slots, entry);
    return slot_put(builder, op->slot) && op_emit(builder, op);
}

/* Emits op, which makes a block at this address. */
static bool block_begin(struct builder *builder, struct trace_op *op, uint64_t address)
{
    op->slot = slot_take(builder);
    return (map_add(&builder->slots, address, op->slot) || builder_fail_errno(builder)) &&
           op_emit(builder, op);
}

/* A block that lives at an address that is given out must have been freed unseen. */
static bool address_clear(struct builder *builder, const struct trace_op *op, uint64_t address)
{
    struct entry *entry = map_find(&builder->slots, address);
    if (entry == NULL)
        return true;
    builder->counts.repaired_inversions++;
    struct trace_op unseen = {.time_ns = op->time_ns, .thread = op->thread, .kind = TRACE_FREE};
    return block_end(builder, &unseen, entry);
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
    bool aligned = call->kind == TRACE_ALIGNED_ALLOC || call->kind == TRACE_MEMALIGN ||
                   call->kind == TRACE_POSIX_MEMALIGN;
    if (aligned || call->kind == TRACE_CALLOC)
        op->count = call->count;
    if (call->result == 0) {
        op->flags |= TRACE_FAILED;
        return op_emit(builder, op);
    }
    if (aligned)
        op->count = alignment_round(call->count);
    return address_clear(builder, op, call->result) && block_begin(builder, op, call->result);
}

static bool call_frees(struct builder *builder, const struct call *call, struct trace_op *op)
{
    if (call->old == 0) {
        op->flags = TRACE_NULL;
        return op_emit(builder, op);
    }
    return block_end(builder, op, map_find(&builder->slots, call->old));
}

/* The block keeps its slot and goes to another address. */
static bool block_move(struct builder *builder, const struct call *call, struct trace_op *op)
{
    if (call->result != call->old) {
        if (!address_clear(builder, op, call->result))
            return false;
        struct entry *entry = map_find(&builder->slots, call->old);
        op->slot = entry->value;
        map_remove(&builder->slots, entry);
        if (!map_add(&builder->slots, call->result, op->slot))
            return builder_fail_errno(builder);
    }
    return op_emit(builder, op);
}

/* An allocator may answer realloc(p, 0) with a new block of no bytes; in a trace it only frees, so
   that block is made by a malloc of its own. */
static bool realloc_to_nothing(struct builder *builder, const struct call *call,
                               struct trace_op *op, struct entry *entry)
{
    struct trace_op made = *op;
    if (!block_end(builder, op, entry))
        return false;
    if (call->result == 0)
        return true;
    made.kind = TRACE_MALLOC;
    made.slot = TRACE_NO_SLOT;
    return call_makes(builder, call, &made);
}

static bool call_resizes(struct builder *builder, const struct call *call, struct trace_op *op)
{
    struct entry *entry = call->old ? map_find(&builder->slots, call->old) : NULL;
    if (entry == NULL) {
        op->flags = TRACE_NULL;
        return call_makes(builder, call, op);
    }
    if (call->size == 0)
        return realloc_to_nothing(builder, call, op, entry);
    op->slot = entry->value;
    if (call->result == 0) {
        op->flags = TRACE_FAILED;
        return op_emit(builder, op);
    }
    return block_move(builder, call, op);
}

/* Counts a call that names a block never seen; true if nothing of the call is left. */
static bool call_is_unknown(struct builder *builder, const struct call *call)
{
    bool names = call->kind == TRACE_FREE || call->kind == TRACE_REALLOC;
    if (!names || call->old == 0 || map_find(&builder->slots, call->old) != NULL)
        return false;
    if (call->kind == TRACE_FREE) {
        builder->counts.unknown_frees++;
        return true;
    }
    builder->counts.unknown_reallocs++;
    return call->size == 0 && call->result == 0;
}

bool builder_add(struct builder *builder, const struct call *given)
{
    struct call call = *given;
    uint32_t thread;
    if (call.time_ns < builder->time_ns)
        call.time_ns = builder->time_ns;
    builder->time_ns = call.time_ns;
    if (call_is_unknown(builder, &call))
        return true;
    if (!thread_number(builder, &call, &thread))
        return false;
    struct trace_op op = op_from_call(&call, thread);
    switch (call.kind) {
    case TRACE_THREAD_START:
        return true;
    case TRACE_THREAD_END:
        return thread_end(builder, &call, thread);
    case TRACE_FREE:
        return call_frees(builder, &call, &op);
    case TRACE_REALLOC:
        return call_resizes(builder, &call, &op);
    default:
        return call_makes(builder, &call, &op);
    }
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
