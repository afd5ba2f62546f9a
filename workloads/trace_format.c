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
    AT_COLUMNS = 16,
    AT_SERIAL = 40,
    AT_TICKS = 48,
};

void block_header_put(unsigned char at[FORMAT_BLOCK_BYTES], const struct block_header *header)
{
    u32_put(at + AT_TAG, FORMAT_BLOCK_TAG);
    u32_put(at + AT_OPS, header->ops);
    u32_put(at + AT_STORED, header->stored);
    u32_put(at + AT_THREAD, header->thread);
    for (int i = 0; i < COLUMNS; i++)
        u32_put(at + AT_COLUMNS + 4 * i, header->column[i]);
    u64_put(at + AT_SERIAL, header->serial);
    u64_put(at + AT_TICKS, header->ticks);
}

const char *block_header_take(struct block_header *header,
                              const unsigned char at[FORMAT_BLOCK_BYTES])
{
    if (u32_take(at + AT_TAG) != FORMAT_BLOCK_TAG)
        return "no block begins here";
    header->ops = u32_take(at + AT_OPS);
    header->stored = u32_take(at + AT_STORED);
    header->thread = u32_take(at + AT_THREAD);
    for (int i = 0; i < COLUMNS; i++)
        header->column[i] = u32_take(at + AT_COLUMNS + 4 * i);
    header->serial = u64_take(at + AT_SERIAL);
    header->ticks = u64_take(at + AT_TICKS);
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

static unsigned flags_allowed(enum trace_kind kind)
{
    switch (kind) {
    case TRACE_FREE:
        return TRACE_NULL | TRACE_HANDOFF;
    case TRACE_REALLOC:
        return TRACE_NULL | TRACE_FAILED | TRACE_HANDOFF;
    case TRACE_THREAD_START:
    case TRACE_THREAD_END:
        return 0;
    default:
        return TRACE_FAILED;
    }
}

static const char *size_fault(const struct trace_op *op)
{
    uint64_t product;
    if (op->kind == TRACE_CALLOC && __builtin_mul_overflow(op->size, op->count, &product))
        return "a calloc of more bytes than can be counted succeeded";
    if (trace_op_bytes(op) > INT64_MAX)
        return "a call for more bytes than there can be succeeded";
    if (op_is_aligned(op) && (op->count == 0 || (op->count & (op->count - 1)) != 0))
        return "alignment is no power of two";
    return NULL;
}

const char *op_fault(const struct trace_op *op)
{
    if (op->kind >= TRACE_KINDS)
        return "unknown kind of operation";
    if (op->flags & ~flags_allowed(op->kind))
        return "flags that this kind of operation cannot have";
    if ((op->flags & TRACE_HANDOFF) && (op->flags & (TRACE_NULL | TRACE_FAILED)))
        return "a hand-off of no block";
    if (!op_has_size(op) && op->size != 0)
        return "a size where there is none";
    if (!op_has_count(op) && op->count != 0)
        return "a count where there is none";
    return op->flags & TRACE_FAILED ? NULL : size_fault(op);
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

const char *tally_thread(struct tally *tally, const struct trace_op *op)
{
    if (op->kind == TRACE_THREAD_START)
        return thread_start(tally, op->thread);
    if (op->thread >= tally->totals.threads)
        return "a thread that has not started";
    if (thread_has_ended(tally, op->thread))
        return "a thread that has ended";
    if (op->kind == TRACE_THREAD_END)
        tally->ended[op->thread / 64] |= UINT64_C(1) << (op->thread % 64);
    return NULL;
}

/* The block's bytes before and after are exchanged in what is live. */
static const char *tally_live(struct trace_totals *totals, uint64_t before, uint64_t after)
{
    totals->final_live -= before;
    if (__builtin_add_overflow(totals->final_live, after, &totals->final_live) ||
        __builtin_add_overflow(totals->bytes_requested, after, &totals->bytes_requested))
        return "more bytes in all than can be counted";
    if (totals->final_live > totals->peak_live)
        totals->peak_live = totals->final_live;
    return NULL;
}

static const char *tally_block(struct trace_totals *totals, const struct trace_op *op,
                               struct live_block *block)
{
    if (op->flags & TRACE_FAILED)
        return NULL;
    uint64_t before = block->bytes;
    block->bytes = trace_op_frees(op) ? 0 : trace_op_bytes(op);
    block->thread = op->thread;
    if (trace_op_makes(op))
        totals->final_slots++;
    else if (trace_op_frees(op))
        totals->final_slots--;
    if (totals->final_slots > totals->slots)
        totals->slots = totals->final_slots;
    return tally_live(totals, before, block->bytes);
}

const char *tally_add(struct tally *tally, const struct trace_op *op, struct live_block *block)
{
    struct trace_totals *totals = &tally->totals;
    totals->ops++;
    totals->by_kind[op->kind]++;
    totals->failed += (op->flags & TRACE_FAILED) != 0;
    totals->handoffs += (op->flags & TRACE_HANDOFF) != 0;
    totals->null_frees += op->kind == TRACE_FREE && (op->flags & TRACE_NULL);
    totals->duration_ns = op->time_ns;
    return block ? tally_block(totals, op, block) : NULL;
}

void tally_close(struct tally *tally)
{
    pages_unmap(tally->ended, tally->ended_words * sizeof(uint64_t));
    *tally = (struct tally){0};
}
