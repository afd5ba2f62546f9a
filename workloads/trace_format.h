/*
 * The bytes of a trace file, shared by its writer and its reader and private to them; described
 * for others in docs/trace-format.md. Besides the layout, it holds the rules that any sequence of
 * operations keeps, so that the writer refuses to write what the reader would refuse to read.
 *
 *   +--------+---------+---------+-----+---------+
 *   | header | block 0 | block 1 | ... | trailer |
 *   +--------+---------+---------+-----+---------+
 *
 * A file names a block of memory by serial: every operation that makes or resizes one takes the
 * next serial, from 1 on, and that is the block's name until its next resize. What is stored is
 * the distance from the block named before: programs free what lies together in the order in
 * which it was made, or the reverse, so distances repeat where ages and slots do not.
 */
#ifndef WORKLOADS_TRACE_FORMAT_H
#define WORKLOADS_TRACE_FORMAT_H

#include "trace.h"

#include <endian.h>
#include <string.h>

enum {
    FORMAT_VERSIONS = 2,
    FORMAT_MAGIC_BYTES = 8,
    FORMAT_CHECKSUM_BYTES = 8,
    FORMAT_HEADER_MAX = 20,   /* layout.header_bytes of the longest */
    FORMAT_BLOCK_MAX = 68,    /* layout.block_bytes of the longest */
    FORMAT_RAW_MAX = 1 << 20, /* most bytes of a block's columns, unpacked */
    FORMAT_TOTALS = sizeof(struct trace_totals) / sizeof(uint64_t),
    FORMAT_TRAILER_MAX = 32,     /* layout.trailer_bytes of the longest */
    FORMAT_ENTRY_BYTES = 24,     /* of a block in the index */
    FORMAT_TAIL_BYTES = 24,      /* the end of the trailer */
    FORMAT_BLOCKS_MAX = 1 << 22, /* bounds the index to 96 MiB */
    FORMAT_TICK_NS = 1000 * 1000,
};

#define FORMAT_MAGIC       "\x89SPTRACE"
#define FORMAT_END_MAGIC   "SPTREND\x0a"
#define FORMAT_BLOCK_TAG   UINT32_C(0x4b434c42) /* "BLCK" */
#define FORMAT_TRAILER_TAG UINT32_C(0x4c494154) /* "TAIL" */

/* The kinds column: kind in the low 4 bits, flags above, and the highest bit says that the thread
   changes (its number is in the threads column). A clock mark is no operation. */
enum {
    MARK_KIND = 15,
    MARK_FLAGS_SHIFT = 4,
    MARK_FLAGS = 7,
    MARK_THREAD = 128,
    MARKS = MARK_THREAD, /* number of marks without MARK_THREAD */
    MARK_CLOCK = 15
};

enum column_name {
    COLUMN_KINDS,   /* a byte an operation or clock mark */
    COLUMN_SIZES,   /* varint for each call that allocates, realloc included */
    COLUMN_COUNTS,  /* varint for each calloc (elements) and aligned call (alignment) */
    COLUMN_NAMES,   /* varint for each free and realloc of a block: distance_fold of its serial */
    COLUMN_THREADS, /* varint for each change of thread: the number */
    COLUMN_CLOCKS,  /* varint for each clock mark: ticks since the one before, at least 1 */
    COLUMNS_1,      /* version 1 has those above */
    COLUMN_GAPS = COLUMNS_1, /* a byte for each gap, or for up to GAP_RUN_MAX without one */
    COLUMN_SITES,            /* varint for each call: its site; 0: unknown */
    COLUMN_PRESENT, /* varint for each that frees or resizes: 1 + bytes present; 0: unknown */
    COLUMNS,
};

/* In what the versions differ. The texts, the totals and all that follows them are alike. */
struct layout {
    uint32_t version;
    uint32_t header_bytes;  /* of the file's header before the origin text */
    uint32_t block_bytes;   /* of a block before its payload */
    uint32_t columns;       /* of a block */
    uint32_t trailer_bytes; /* before the totals */
    uint32_t op_max;        /* more than one operation adds to all columns */
};

/* Of a version from 1 to FORMAT_VERSIONS; NULL: there is none. */
const struct layout *layout_find(uint32_t version);

/*
 * The gaps column. A byte below GAP_CODES is a gap, in steps of a quarter of the power of two below
 * it; from 1 to 7 ns each has its own. A byte from there on stands for operations without a gap:
 * one, or up to GAP_RUN_MAX of them. Nearly all gaps are 0 where calls share stamps.
 */
enum { GAP_CODES = 192, GAP_RUN_MAX = 64 };

static inline uint64_t gap_decode(unsigned code)
{
    return code < 4 ? code : (uint64_t)(4 + code % 4) << (code / 4 - 1);
}

/* The nearest code; that of a gap which was decoded is its own. */
static inline unsigned gap_encode(uint64_t ns)
{
    static const uint64_t most = UINT64_C(7) << (GAP_CODES / 4 - 2);
    if (ns < 4)
        return (unsigned)ns;
    if (ns >= most)
        return GAP_CODES - 1;
    unsigned shift = 61 - (unsigned)__builtin_clzll(ns);
    ns += UINT64_C(1) << shift >> 1;
    shift = 61 - (unsigned)__builtin_clzll(ns); /* rounding may have reached the next power */
    return shift * 4 + (unsigned)(ns >> shift);
}

/* A block's header in the machine's own form. */
struct block_header {
    uint32_t ops;
    uint32_t stored;          /* bytes of the payload; as many as raw: not compressed */
    uint32_t thread;          /* of the first operation */
    uint32_t column[COLUMNS]; /* bytes of each */
    uint64_t serial;          /* that the first make or resize in the block takes */
    uint64_t ticks;           /* time at the start of the block */
};

/* An entry of the index. */
struct block_entry {
    uint64_t offset;
    uint64_t ops;
    uint64_t serial;
};

/* What must be known of a live block. */
struct live_block {
    uint64_t bytes;
    uint64_t serial : 44; /* 0: not live. Of no meaning to the reader */
    uint64_t thread : 20; /* that made or last resized it */
};
#define FORMAT_SERIAL_MAX ((UINT64_C(1) << 44) - 1)

/* Totals in the making, with what is needed to keep the rules. All zero is the start. */
struct tally {
    struct trace_totals totals; /* what does not follow from `marks` and the time */
    uint64_t marks[MARKS];      /* operations by op_mark */
    uint64_t running;           /* 1 + thread of the last operation; 0: that thread has ended */
    uint64_t *ended;            /* a bit a thread */
    size_t ended_words;
};

static inline void u32_put(unsigned char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static inline void u64_put(unsigned char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static inline uint32_t u32_take(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t u64_take(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

/*
 * The distance from serial `from` to serial `to` as a small number whichever way it goes: 0, -1, 1,
 * -2 ... become 0, 1, 2, 3 ... `from` is the serial that the free or realloc before left to its
 * block (a realloc: the new one); at the start of a file's block, the next serial.
 */
static inline uint64_t distance_fold(uint64_t from, uint64_t to)
{
    uint64_t distance = to - from;
    return distance << 1 ^ (distance >> 63 ? UINT64_MAX : 0);
}

/* The other way round: `to`. */
static inline uint64_t distance_unfold(uint64_t from, uint64_t folded)
{
    return from + (folded >> 1 ^ (folded & 1 ? UINT64_MAX : 0));
}

/* Of layout->block_bytes. */
void block_header_put(unsigned char *at, const struct layout *layout,
                      const struct block_header *header);
/* NULL, or what is wrong: tag, counts and lengths are within their limits afterwards. Columns that
   the version does not have are empty. */
const char *block_header_take(struct block_header *header, const struct layout *layout,
                              const unsigned char *at);
size_t block_header_raw(const struct block_header *header);

/* What operations of a mark (kind and flags, as in the kinds column) are like. */
enum op_shape {
    SHAPE_VALID = 1,   /* such operations may be */
    SHAPE_SIZE = 2,    /* has a value in the sizes column */
    SHAPE_COUNT = 4,   /* in the counts column */
    SHAPE_ALIGNED = 8, /* which is an alignment */
    SHAPE_NAMES = 16,  /* in the names column: names a block that lives already */
    SHAPE_MAKES = 32,  /* makes a block */
    SHAPE_FREES = 64,  /* frees a block; a SHAPE_RESIZES does so if its size is 0 */
    SHAPE_RESIZES = 128,
};

extern const uint8_t op_shapes[MARKS]; /* enum op_shape, or-ed */

static inline unsigned op_mark(const struct trace_op *op)
{
    return (op->kind | (unsigned)op->flags << MARK_FLAGS_SHIFT) % MARKS;
}

static inline unsigned op_shape(const struct trace_op *op)
{
    return op_shapes[op_mark(op)];
}

/* Whether op is a call, which may have a site. */
static inline bool op_is_call(const struct trace_op *op)
{
    return op->kind < TRACE_THREAD_START;
}

/* Whether op may say that so much was present of a block of `bytes` that it frees or resizes. */
static inline bool present_is_possible(const struct trace_op *op, uint64_t bytes)
{
    return op->present == 0 || op->present - 1 <= bytes;
}

/* Whether op, of this shape, takes the next serial: makes a block or resizes one. */
static inline bool op_takes_serial(const struct trace_op *op, unsigned shape)
{
    return shape & SHAPE_MAKES || (shape & SHAPE_RESIZES && op->size > 0);
}

/* What is wrong with a kind and flags that are not SHAPE_VALID. */
const char *mark_fault(unsigned kind, unsigned flags);

/* NULL, or what is wrong with the size and count of a call of this shape that succeeded. */
static inline const char *size_fault(const struct trace_op *op, unsigned shape)
{
    uint64_t product;
    if (op->kind == TRACE_CALLOC && __builtin_mul_overflow(op->size, op->count, &product))
        return "a calloc of more bytes than can be counted succeeded";
    if (trace_op_bytes(op) > INT64_MAX)
        return "a call for more bytes than there can be succeeded";
    if (shape & SHAPE_ALIGNED && (op->count == 0 || (op->count & (op->count - 1)) != 0))
        return "alignment is no power of two";
    return NULL;
}

/* The same where the thread changes, starts or ends. */
const char *tally_thread_change(struct tally *tally, const struct trace_op *op);

/* NULL, or what is wrong with the operation's thread at this place in the trace. */
static inline const char *tally_thread(struct tally *tally, const struct trace_op *op)
{
    bool goes_on = tally->running == op->thread + UINT64_C(1) && op->kind < TRACE_THREAD_START;
    return goes_on ? NULL : tally_thread_change(tally, op);
}

/*
 * Counts what an operation of this shape does to the block that it makes (of 0 bytes before),
 * resizes or frees (0 after). Sets bytes and thread; serial is the caller's. NULL, or what is
 * wrong.
 */
static inline const char *tally_block(struct trace_totals *totals, const struct trace_op *op,
                                      unsigned shape, struct live_block *block)
{
    if (!(shape & (SHAPE_MAKES | SHAPE_FREES | SHAPE_RESIZES)))
        return NULL;
    totals->final_live -= block->bytes;
    if (!op_takes_serial(op, shape)) {
        totals->final_slots--;
        block->bytes = 0;
        return NULL;
    }
    if (shape & SHAPE_MAKES && ++totals->final_slots > totals->slots)
        totals->slots = totals->final_slots;
    uint64_t bytes = trace_op_bytes(op);
    block->bytes = bytes;
    block->thread = op->thread;
    if (__builtin_add_overflow(totals->final_live, bytes, &totals->final_live) ||
        __builtin_add_overflow(totals->bytes_requested, bytes, &totals->bytes_requested))
        return "more bytes in all than can be counted";
    if (totals->final_live > totals->peak_live)
        totals->peak_live = totals->final_live;
    return NULL;
}

/* The totals so far, whose last operation is at `ticks`. */
const struct trace_totals *tally_sum(struct tally *tally, uint64_t ticks);
void tally_close(struct tally *tally);

/*
 * Appends an operation as trace_writer_add does, for a caller that keeps the records of live
 * blocks: `block` is that of the block which op names, a zeroed one if op makes it, NULL if there
 * is none. op->slot is not looked at. The writer keeps *block up to date; its serial is 0 once it
 * is freed.
 */
bool trace_writer_put(struct trace_writer *writer, const struct trace_op *op,
                      struct live_block *block);

#endif
