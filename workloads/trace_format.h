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
    FORMAT_VERSION = 1,
    FORMAT_MAGIC_BYTES = 8,
    FORMAT_CHECKSUM_BYTES = 8,
    FORMAT_HEADER_BYTES = 16, /* before the origin text */
    FORMAT_BLOCK_BYTES = 56,  /* before the payload */
    FORMAT_RAW_MAX = 1 << 20, /* most bytes of a block's columns, unpacked */
    FORMAT_OP_MAX = 48,       /* more than one operation adds to all columns */
    FORMAT_TOTALS = sizeof(struct trace_totals) / sizeof(uint64_t),
    FORMAT_TRAILER_BYTES = 24,   /* before the totals */
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
enum { MARK_KIND = 15, MARK_FLAGS_SHIFT = 4, MARK_FLAGS = 7, MARK_THREAD = 128, MARK_CLOCK = 15 };

enum column_name {
    COLUMN_KINDS,   /* a byte an operation or clock mark */
    COLUMN_SIZES,   /* varint for each call that allocates, realloc included */
    COLUMN_COUNTS,  /* varint for each calloc (elements) and aligned call (alignment) */
    COLUMN_NAMES,   /* varint for each free and realloc of a block: distance_fold of its serial */
    COLUMN_THREADS, /* varint for each change of thread: the number */
    COLUMN_CLOCKS,  /* varint for each clock mark: ticks since the one before, at least 1 */
    COLUMNS,
};

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
    uint64_t serial : 44; /* 0: not live */
    uint64_t thread : 20; /* that made or last resized it */
};
#define FORMAT_SERIAL_MAX ((UINT64_C(1) << 44) - 1)

/* Totals in the making, with what is needed to keep the rules. */
struct tally {
    struct trace_totals totals;
    uint64_t *ended; /* a bit a thread */
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

void block_header_put(unsigned char at[FORMAT_BLOCK_BYTES], const struct block_header *header);
/* NULL, or what is wrong: tag, counts and lengths are within their limits afterwards. */
const char *block_header_take(struct block_header *header,
                              const unsigned char at[FORMAT_BLOCK_BYTES]);
size_t block_header_raw(const struct block_header *header);

static inline bool op_is_aligned(const struct trace_op *op)
{
    return op->kind == TRACE_ALIGNED_ALLOC || op->kind == TRACE_MEMALIGN ||
           op->kind == TRACE_POSIX_MEMALIGN;
}

/* Which columns an operation has a value in, and whether it takes a serial. */
static inline bool op_has_size(const struct trace_op *op)
{
    return op->kind < TRACE_THREAD_START && op->kind != TRACE_FREE;
}

static inline bool op_has_count(const struct trace_op *op)
{
    return op->kind == TRACE_CALLOC || op_is_aligned(op);
}

/* slot is a block that lives already */
static inline bool op_names_block(const struct trace_op *op)
{
    return (op->kind == TRACE_FREE || op->kind == TRACE_REALLOC) && !(op->flags & TRACE_NULL);
}

static inline bool op_takes_serial(const struct trace_op *op)
{
    return op_has_size(op) && !(op->flags & TRACE_FAILED) && !trace_op_frees(op);
}

/* NULL, or what is wrong with an operation on its own (slot and HANDOFF are not looked at). */
const char *op_fault(const struct trace_op *op);

/* NULL, or what is wrong with the operation's thread at this place in the trace. */
const char *tally_thread(struct tally *tally, const struct trace_op *op);
/*
 * Adds an operation without fault; `block` is the live block of op->slot, or the zeroed one to
 * be, or NULL when the operation has none. Sets bytes and thread of *block (serial is the
 * caller's). NULL, or what is wrong.
 */
const char *tally_add(struct tally *tally, const struct trace_op *op, struct live_block *block);
void tally_close(struct tally *tally);

#endif
