/*
 * Layout and rules of the trace file. Knows no files and no compression.
 */
#include "trace_format.h"

#include "pages.h"

/* Offsets within a block's header. */
enum {
    AT_TAG = 0,
    AT_OPS = 4,
    AT_STORED = 8,
    AT_THREAD = 12,
    AT_COLUMNS = 16, /* then the serial and the ticks */
};

const struct layout *layout_find(uint32_t version)
{
    static const struct layout layouts[FORMAT_VERSIONS] = {
        {1, 16, 56, COLUMNS_1, 24, 48},
        {2, FORMAT_HEADER_MAX, FORMAT_BLOCK_MAX, COLUMNS, FORMAT_TRAILER_MAX, 72},
    };
    return version >= 1 && version <= FORMAT_VERSIONS ? &layouts[version - 1] : NULL;
}

void block_header_put(unsigned char *at, const struct layout *layout,
                      const struct block_header *header)
{
    unsigned char *behind = at + AT_COLUMNS + 4 * layout->columns;
    u32_put(at + AT_TAG, FORMAT_BLOCK_TAG);
    u32_put(at + AT_OPS, header->ops);
    u32_put(at + AT_STORED, header->stored);
    u32_put(at + AT_THREAD, header->thread);
    for (uint32_t i = 0; i < layout->columns; i++)
        u32_put(at + AT_COLUMNS + 4 * i, header->column[i]);
    u64_put(behind, header->serial);
    u64_put(behind + 8, header->ticks);
}

const char *block_header_take(struct block_header *header, const struct layout *layout,
                              const unsigned char *at)
{
    const unsigned char *behind = at + AT_COLUMNS + 4 * layout->columns;
    if (u32_take(at + AT_TAG) != FORMAT_BLOCK_TAG)
        return "no block begins here";
    *header = (struct block_header){.ops = u32_take(at + AT_OPS)};
    header->stored = u32_take(at + AT_STORED);
    header->thread = u32_take(at + AT_THREAD);
    for (uint32_t i = 0; i < layout->columns; i++)
        header->column[i] = u32_take(at + AT_COLUMNS + 4 * i);
    header->serial = u64_take(behind);
    header->ticks = u64_take(behind + 8);
    if (header->ops == 0 || header->ops > TRACE_BLOCK_OPS)
        return "impossible number of operations";
    if (block_header_raw(header) > FORMAT_RAW_MAX)
        return "its columns are too long";
    if (header->stored > block_header_raw(header))
        return "its payload is longer than what is in it";
    if (header->ticks > UINT64_MAX / FORMAT_TICK_NS)
        return "impossible time";
    return NULL;
}

size_t block_header_raw(const struct block_header *header)
{
    size_t raw = 0;
    for (int i = 0; i < COLUMNS; i++)
        raw += header->column[i];
    return raw;
}

#define MARK(kind, flags) [(kind) | (flags) << MARK_FLAGS_SHIFT]
enum {
    FAILS = SHAPE_VALID | SHAPE_SIZE,
    MAKES = SHAPE_VALID | SHAPE_SIZE | SHAPE_MAKES,
    ALIGNED = SHAPE_COUNT | SHAPE_ALIGNED,
    RESIZES = SHAPE_VALID | SHAPE_SIZE | SHAPE_NAMES | SHAPE_RESIZES,
    FREES = SHAPE_VALID | SHAPE_NAMES | SHAPE_FREES,
};

const uint8_t op_shapes[MARKS] = {
    MARK(TRACE_MALLOC, 0) = MAKES,
    MARK(TRACE_MALLOC, TRACE_FAILED) = FAILS,
    MARK(TRACE_CALLOC, 0) = MAKES | SHAPE_COUNT,
    MARK(TRACE_CALLOC, TRACE_FAILED) = FAILS | SHAPE_COUNT,
    MARK(TRACE_REALLOC, 0) = RESIZES,
    MARK(TRACE_REALLOC, TRACE_HANDOFF) = RESIZES,
    MARK(TRACE_REALLOC, TRACE_FAILED) = FAILS | SHAPE_NAMES,
    MARK(TRACE_REALLOC, TRACE_NULL) = MAKES,
    MARK(TRACE_REALLOC, TRACE_NULL | TRACE_FAILED) = FAILS,
    MARK(TRACE_FREE, 0) = FREES,
    MARK(TRACE_FREE, TRACE_HANDOFF) = FREES,
    MARK(TRACE_FREE, TRACE_NULL) = SHAPE_VALID,
    MARK(TRACE_ALIGNED_ALLOC, 0) = MAKES | ALIGNED,
    MARK(TRACE_ALIGNED_ALLOC, TRACE_FAILED) = FAILS | ALIGNED,
    MARK(TRACE_MEMALIGN, 0) = MAKES | ALIGNED,
    MARK(TRACE_MEMALIGN, TRACE_FAILED) = FAILS | ALIGNED,
    MARK(TRACE_POSIX_MEMALIGN, 0) = MAKES | ALIGNED,
    MARK(TRACE_POSIX_MEMALIGN, TRACE_FAILED) = FAILS | ALIGNED,
    MARK(TRACE_VALLOC, 0) = MAKES,
    MARK(TRACE_VALLOC, TRACE_FAILED) = FAILS,
    MARK(TRACE_PVALLOC, 0) = MAKES,
    MARK(TRACE_PVALLOC, TRACE_FAILED) = FAILS,
    MARK(TRACE_THREAD_START, 0) = SHAPE_VALID,
    MARK(TRACE_THREAD_END, 0) = SHAPE_VALID,
};

const char *mark_fault(unsigned kind, unsigned flags)
{
    if (kind >= TRACE_KINDS)
        return "unknown kind of operation";
    if (flags & TRACE_HANDOFF && (kind == TRACE_FREE || kind == TRACE_REALLOC))
        return "a hand-off of no block";
    return "flags that this kind of operation cannot have";
}

static bool thread_has_ended(const struct tally *tally, uint32_t thread)
{
    return tally->ended[thread / 64] >> (thread % 64) & 1;
}

static const char *thread_start(struct tally *tally, uint32_t thread)
{
    if (thread != tally->totals.threads)
        return "a thread starts out of turn";
    if (thread >= TRACE_THREADS_MAX)
        return "too many threads";
    void *p = tally->ended;
    if (!pages_reserve(&p, &tally->ended_words, sizeof(uint64_t), thread / 64 + 1))
        return "out of memory";
    tally->ended = p;
    tally->totals.threads++;
    return NULL;
}

const char *tally_thread_change(struct tally *tally, const struct trace_op *op)
{
    tally->running = op->thread + UINT64_C(1);
    if (op->kind == TRACE_THREAD_START)
        return thread_start(tally, op->thread);
    if (op->thread >= tally->totals.threads)
        return "a thread that has not started";
    if (thread_has_ended(tally, op->thread))
        return "a thread that has ended";
    if (op->kind == TRACE_THREAD_END) {
        tally->ended[op->thread / 64] |= UINT64_C(1) << (op->thread % 64);
        tally->running = 0;
    }
    return NULL;
}

const struct trace_totals *tally_sum(struct tally *tally, uint64_t ticks)
{
    struct trace_totals *totals = &tally->totals;
    memset(totals->by_kind, 0, sizeof totals->by_kind);
    totals->ops = totals->failed = totals->handoffs = 0;
    for (unsigned mark = 0; mark < MARKS; mark++) {
        uint64_t ops = tally->marks[mark];
        unsigned kind = mark & MARK_KIND;
        unsigned flags = mark >> MARK_FLAGS_SHIFT;
        if (kind >= TRACE_KINDS)
            continue;
        totals->ops += ops;
        totals->by_kind[kind] += ops;
        totals->failed += flags & TRACE_FAILED ? ops : 0;
        totals->handoffs += flags & TRACE_HANDOFF ? ops : 0;
    }
    totals->null_frees = tally->marks[TRACE_FREE | TRACE_NULL << MARK_FLAGS_SHIFT];
    totals->duration_ns = ticks * FORMAT_TICK_NS;
    return totals;
}

void tally_close(struct tally *tally)
{
    pages_unmap(tally->ended, tally->ended_words * sizeof(uint64_t));
    *tally = (struct tally){0};
}

const char *trace_kind_name(enum trace_kind kind)
{
    static const char *const names[TRACE_KINDS] = {
        [TRACE_MALLOC] = "malloc",
        [TRACE_CALLOC] = "calloc",
        [TRACE_REALLOC] = "realloc",
        [TRACE_FREE] = "free",
        [TRACE_ALIGNED_ALLOC] = "aligned_alloc",
        [TRACE_MEMALIGN] = "memalign",
        [TRACE_POSIX_MEMALIGN] = "posix_memalign",
        [TRACE_VALLOC] = "valloc",
        [TRACE_PVALLOC] = "pvalloc",
        [TRACE_THREAD_START] = "thread_start",
        [TRACE_THREAD_END] = "thread_end",
    };
    return kind < TRACE_KINDS ? names[kind] : "unknown";
}
