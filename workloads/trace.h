/*
 * The trace: what a program asked of its allocator, one operation a call, in the order in which
 * the calls took effect. This header is the contract of the file format's writer and reader; the
 * bytes are described in docs/trace-format.md. Where traces come from (the recorder, importers)
 * and what is done with them is not the business of this file.
 *
 * A block is named by its slot: a small integer that is the block's own from the operation that
 * made it until the one that freed it, and may then be given to another block. A realloc keeps the
 * slot. Slots are not stored in a file: the writer may be given any (dense) numbering; the reader
 * hands out the lowest free slot each time, so that a table of slots stays in the cache.
 *
 * Nothing in here calls malloc: the reader runs inside the programs that measure malloc. All
 * state lies in mappings of its own (workloads/pages.h).
 */
#ifndef WORKLOADS_TRACE_H
#define WORKLOADS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_kind {
    TRACE_MALLOC,
    TRACE_CALLOC,
    TRACE_REALLOC,
    TRACE_FREE,
    TRACE_ALIGNED_ALLOC,
    TRACE_MEMALIGN,
    TRACE_POSIX_MEMALIGN,
    TRACE_VALLOC,
    TRACE_PVALLOC,
    TRACE_THREAD_START, /* the first sign of a thread; comes before its first call */
    TRACE_THREAD_END,   /* the thread is gone; no later operation carries its number */
    TRACE_KINDS,
};

enum trace_flag {
    TRACE_FAILED = 1,  /* the call returned NULL; `slot` is TRACE_NO_SLOT, or of a realloc the
                          block that was kept */
    TRACE_NULL = 2,    /* free(NULL), realloc(NULL, size) */
    TRACE_HANDOFF = 4, /* frees or resizes a block that another thread made or last resized, and
                          did not fail; computed by the writer, verified by the reader */
};

enum {
    TRACE_NO_SLOT = UINT32_MAX,
    TRACE_BLOCK_OPS = 65536,     /* most operations in one block of a file */
    TRACE_THREADS_MAX = 1 << 20, /* most threads of a trace */
};

/* Columns that a trace may have; without any of them it is a file of version 1. */
enum trace_column {
    TRACE_GAPS = 1,    /* gap_ns is known */
    TRACE_SITES = 2,   /* site is known, and trace_reader_sites has the table */
    TRACE_PRESENT = 4, /* present is known of some frees and reallocs */
    TRACE_COLUMNS = 7, /* all of them */
};

/*
 * One operation. What a column that the trace does not have would tell is 0.
 *
 * gap_ns is the wall time between the thread's operation before and this one, whatever passed it:
 * the program's work, a wait, another process on the processor. It lies between two stamps: a free
 * is stamped at its start, an allocation at its end, a realloc at both. So a gap contains the call
 * before it if that was a free, and this call if it allocates and is no realloc. While a recorded
 * process has one thread, up to eight calls share a stamp: they have a gap of 0, and the first one
 * with the next stamp has that of them all. So a sum over some dozens of operations says something,
 * a single gap little. In steps: off by up to an eighth. Exact sums are not kept. 0 at the first
 * operation of a thread; a thread's end has the time since its last call. A replay that spends
 * gap_ns before each operation thus takes its time where the program did.
 */
struct trace_op {
    uint64_t size;    /* bytes requested; of a calloc, of one element; 0 for frees */
    uint64_t count;   /* calloc: elements; aligned family: alignment in bytes; else 0 */
    uint64_t time_ns; /* since the recording began, coarse: never decreases, steps of >= 1 ms */
    uint64_t gap_ns;  /* since the thread's operation before, see above; 0: none, or unknown */
    uint64_t present; /* see trace_op_present */
    uint32_t slot;    /* the block made, resized or freed; TRACE_NO_SLOT if there is none */
    uint32_t thread;  /* dense from 0, in order of appearance */
    uint32_t site;    /* who called: a number from 1 in the trace's table of sites; 0: unknown */
    uint8_t kind;     /* enum trace_kind */
    uint8_t flags;    /* enum trace_flag, or-ed */
};

/* Bytes of the block in memory when op gave it up (free) or resized it (realloc), at most its
   size then; false: unknown. The field has one more, so that 0 is unknown. */
static inline bool trace_op_present(const struct trace_op *op, uint64_t *bytes)
{
    *bytes = op->present - (op->present > 0);
    return op->present > 0;
}

/* A block begins in op->slot. */
static inline bool trace_op_makes(const struct trace_op *op)
{
    if (op->flags & TRACE_FAILED || op->kind >= TRACE_THREAD_START || op->kind == TRACE_FREE)
        return false;
    return op->kind != TRACE_REALLOC || op->flags & TRACE_NULL;
}

/* The block in op->slot ends, by free or realloc(p, 0). */
static inline bool trace_op_frees(const struct trace_op *op)
{
    if (op->flags & (TRACE_FAILED | TRACE_NULL))
        return false;
    return op->kind == TRACE_FREE || (op->kind == TRACE_REALLOC && op->size == 0);
}

/* Bytes that the block has after an op that makes or resizes it: size, or count * size. */
static inline uint64_t trace_op_bytes(const struct trace_op *op)
{
    return op->kind == TRACE_CALLOC ? op->size * op->count : op->size;
}

const char *trace_kind_name(enum trace_kind kind); /* "malloc", "posix_memalign", ... */

/* What is known of a whole trace. Sizes in bytes. */
struct trace_totals {
    uint64_t ops; /* all kinds, thread starts and ends included */
    uint64_t by_kind[TRACE_KINDS];
    uint64_t failed;     /* operations with TRACE_FAILED */
    uint64_t null_frees; /* free(NULL) */
    uint64_t handoffs;   /* operations with TRACE_HANDOFF */
    uint64_t threads;
    uint64_t slots;       /* most blocks live at once: size of a table of slots */
    uint64_t peak_live;   /* most bytes live at once */
    uint64_t final_live;  /* bytes never freed */
    uint64_t final_slots; /* blocks never freed */
    uint64_t duration_ns;
    uint64_t bytes_requested; /* sum over all operations that make or resize a block */
};

/*
 * Where the trace came from and what was lost on the way: "key=value" lines, UTF-8, no newline in
 * a value, keys [a-z_]. Written at the start (origin) and at the end (losses) of a file.
 * Origin keys in use: source (recorded, imported), program, command (argv joined by spaces),
 * pid, image, date (ISO 8601), host, kernel, libc, cpu, tool (name and version), format (of an
 * import), input, excerpt (how it was cut and filtered), merged (of how many). Loss keys in use:
 * unknown_frees, unknown_reallocs, repaired_inversions, lost_ops, lost_why, lost_threads,
 * lost_alignment, lost_calloc, lost_realloc, lost_time; of imports also lost_order, lost_addresses,
 * lost_halves, lost_processes, lost_start, lost_line, header_ops, header_ids, header_threads, and
 * what is known besides the calls: recorded_rss (MS:BYTES ...), recorded_peak_rss (bytes),
 * recorded_presence; of parts made_at_start, left_out_frees, made_by_realloc, released (see
 * excerpt.h).
 */
enum { TRACE_TEXT_MAX = 64 * 1024 };

enum { TRACE_ERROR_MAX = 512 };

struct sites;
struct trace_writer;

/*
 * Starts a trace at `path` ("-": standard output) with the origin text. The file appears under
 * its name only when trace_writer_finish succeeds (it is written beside it and renamed).
 * NULL on failure, with "PATH: what" in error.
 */
struct trace_writer *trace_writer_open(const char *path, const char *origin,
                                       char error[TRACE_ERROR_MAX]);
/* The same for a trace that has these columns, too (enum trace_column, or-ed): what operations say
   of others is left out. Without any, version 1 of the format is written. */
struct trace_writer *trace_writer_open_columns(const char *path, const char *origin,
                                               unsigned columns, char error[TRACE_ERROR_MAX]);
/* Compresses what is added from now on at a level of zstd; the file's format stays the same. */
void trace_writer_compress(struct trace_writer *writer, int level);
/* The table that the sites of operations are numbers of, written at the end: it must live until
   then. */
void trace_writer_sites(struct trace_writer *writer, const struct sites *sites);
/*
 * Appends op, which may come from a reader as it is; HANDOFF is computed here, so the flag need not
 * be set. The order of calls is the order of the trace. false on an I/O error or an operation that
 * makes no sense (a free of a slot that is not live, a make into a slot that is): see
 * trace_writer_error.
 */
bool trace_writer_add(struct trace_writer *writer, const struct trace_op *op);
/* Writes what is left, the losses and the totals; renames; frees the writer in any case. */
bool trace_writer_finish(struct trace_writer *writer, const char *losses,
                         char error[TRACE_ERROR_MAX]);
/* Gives up: removes what was written and frees the writer. */
void trace_writer_abandon(struct trace_writer *writer);
const char *trace_writer_error(const struct trace_writer *writer); /* "PATH: what" */

struct trace_reader;

/*
 * Opens a trace and verifies its header and trailer. NULL on failure, with "PATH: what" or
 * "PATH: block N: what" in error. Damaged, cut and hostile files are told as such. Memory is
 * bounded by a few blocks of the file, plus 273 bytes for each block of memory live at once (21
 * where those made together live together), plus an eighth of a byte for each operation read that
 * made or resized one. Growing by doubling may map twice as much, which is then not touched.
 */
struct trace_reader *trace_reader_open(const char *path, char error[TRACE_ERROR_MAX]);
void trace_reader_close(struct trace_reader *reader);
const struct trace_totals *trace_reader_totals(const struct trace_reader *reader);
const char *trace_reader_origin(const struct trace_reader *reader);
const char *trace_reader_losses(const struct trace_reader *reader);
/* What the trace has beside the calls: enum trace_column, or-ed. */
unsigned trace_reader_columns(const struct trace_reader *reader);
/* The table of call sites (workloads/sites.h), empty without TRACE_SITES. It stays the reader's. */
const struct sites *trace_reader_sites(const struct trace_reader *reader);
/*
 * Decodes the next block into ops[TRACE_BLOCK_OPS], slots assigned, and sets *n; *n = 0 at the
 * end, when the totals have been compared with what was read. false: trace_reader_error tells.
 */
bool trace_reader_next(struct trace_reader *reader, struct trace_op *ops, size_t *n);
const char *trace_reader_error(const struct trace_reader *reader); /* "PATH: block N: what" */
/* Bytes that the reader has mapped (for harness memory accounting). */
size_t trace_reader_mapped(const struct trace_reader *reader);

#endif
