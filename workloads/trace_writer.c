/*
 * Writes a trace block by block. It keeps the columns of the block being filled, what is needed of
 * each live block, and the index; nothing else of what was written.
 */
#define ZSTD_STATIC_LINKING_ONLY

#include "pages.h"
#include "sites_file.h"
#include "trace_format.h"
#include "unfinished.h"
#include "varint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

/* Measured on recorded programs: 12 takes five times as long for 3 in 100 bytes less. */
enum { LEVEL = 9 };

struct column_out {
    unsigned char *bytes; /* FORMAT_RAW_MAX mapped */
    size_t used;
};

struct trace_writer {
    int fd;
    bool direct;           /* written in place: no temporary file, no rename */
    char path[PATH_MAX];   /* as the caller said it */
    char beside[PATH_MAX]; /* the temporary file while there is one, else empty */
    char error[TRACE_ERROR_MAX];
    bool failed;
    uint64_t offset; /* bytes written */
    const struct layout *layout;
    unsigned columns;          /* enum trace_column, or-ed */
    const struct sites *sites; /* the caller's; NULL: none */
    uint64_t sites_bytes;      /* that they took in the file */
    uint32_t site;             /* the largest number used */

    struct block_header header; /* of the block being filled */
    struct column_out column[COLUMNS];
    unsigned char *raw;    /* columns joined */
    unsigned char *packed; /* header, payload and checksum as they go to the file */
    size_t packed_bytes;   /* mapped there */
    ZSTD_CCtx *zstd;

    uint32_t thread; /* of the last operation */
    uint64_t ticks;  /* of the last operation */
    uint64_t serial; /* the next to be given */
    uint64_t named;  /* where the next distance starts */
    struct tally tally;
    unsigned gapless;        /* last operations without a gap, not put into their column yet */
    size_t fitting;          /* operations that fit the block for certain */
    struct live_block *live; /* by slot, for trace_writer_add */
    size_t live_capacity;
    struct block_entry *index;
    size_t blocks, index_capacity;
};

__attribute__((format(printf, 2, 3))) static bool writer_fail(struct trace_writer *writer,
                                                              const char *format, ...)
{
    if (writer->failed)
        return false;
    writer->failed = true;
    int n = snprintf(writer->error, sizeof writer->error, "%.400s: ", writer->path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(writer->error + n, sizeof writer->error - (size_t)n, format, arguments);
    va_end(arguments);
    return false;
}

static bool writer_fail_errno(struct trace_writer *writer)
{
    return writer_fail(writer, "%s", strerror(errno));
}

static bool bytes_write(struct trace_writer *writer, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = write(writer->fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return writer_fail_errno(writer);
        at += done;
        n -= (size_t)done;
        writer->offset += (uint64_t)done;
    }
    return true;
}

/* Opens the temporary file beside the path, or, where renaming makes no sense, the path itself. */
static bool writer_open_file(struct trace_writer *writer)
{
    struct stat st;
    if (strcmp(writer->path, "-") == 0) {
        writer->direct = true;
        writer->fd = STDOUT_FILENO;
        return true;
    }
    if (stat(writer->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        writer->direct = true;
        writer->fd = open(writer->path, O_WRONLY | O_CLOEXEC);
        return writer->fd >= 0 || writer_fail_errno(writer);
    }
    for (int i = 0; i < 100; i++) {
        int n = snprintf(writer->beside, sizeof writer->beside, "%s.%d-%d.tmp", writer->path,
                         (int)getpid(), i);
        if (n >= (int)sizeof writer->beside) {
            errno = ENAMETOOLONG;
            break;
        }
        writer->fd = unfinished_open(writer->beside, O_WRONLY);
        if (writer->fd >= 0 || errno != EEXIST)
            break;
    }
    if (writer->fd >= 0)
        return true;
    writer->beside[0] = '\0';
    return writer_fail_errno(writer);
}

static bool writer_open_memory(struct trace_writer *writer)
{
    bool ok = true;
    for (int i = 0; i < COLUMNS; i++)
        ok = (writer->column[i].bytes = pages_map(FORMAT_RAW_MAX)) && ok;
    writer->packed_bytes =
        FORMAT_BLOCK_MAX + ZSTD_compressBound(FORMAT_RAW_MAX) + FORMAT_CHECKSUM_BYTES;
    writer->raw = pages_map(FORMAT_RAW_MAX);
    writer->packed = pages_map(writer->packed_bytes);
    ZSTD_customMem memory = {pages_lend, pages_return, NULL};
    writer->zstd = ZSTD_createCCtx_advanced(memory);
    if (!ok || !writer->raw || !writer->packed || !writer->zstd) {
        errno = ENOMEM;
        return writer_fail_errno(writer);
    }
    ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, LEVEL);
    return true;
}

void trace_writer_compress(struct trace_writer *writer, int level)
{
    ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, level);
}

/* The checksum of n bytes goes behind them; `bytes` has room. Returns the new length. */
static size_t bytes_seal(unsigned char *bytes, size_t n)
{
    u64_put(bytes + n, XXH64(bytes, n, 0));
    return n + FORMAT_CHECKSUM_BYTES;
}

static bool writer_put_header(struct trace_writer *writer, const char *origin)
{
    size_t length = strlen(origin);
    size_t first = writer->layout->header_bytes;
    unsigned char *at = writer->packed;
    if (length > TRACE_TEXT_MAX)
        return writer_fail(writer, "origin text is too long");
    memcpy(at, FORMAT_MAGIC, FORMAT_MAGIC_BYTES);
    u32_put(at + 8, writer->layout->version);
    u32_put(at + 12, (uint32_t)length);
    if (writer->columns != 0)
        u32_put(at + 16, writer->columns);
    memcpy(at + first, origin, length);
    return bytes_write(writer, at, bytes_seal(at, first + length));
}

static bool writer_open_all(struct trace_writer *writer, const char *path, const char *origin,
                            unsigned columns)
{
    int n = snprintf(writer->path, sizeof writer->path, "%s", path);
    writer->fd = -1;
    writer->serial = 1;
    writer->columns = columns;
    writer->layout = layout_find(columns != 0 ? 2 : 1);
    if (n >= (int)sizeof writer->path)
        return writer_fail(writer, "%s", strerror(ENAMETOOLONG));
    return writer_open_file(writer) && writer_open_memory(writer) &&
           writer_put_header(writer, origin);
}

static void writer_close(struct trace_writer *writer)
{
    for (int i = 0; i < COLUMNS; i++)
        pages_unmap(writer->column[i].bytes, FORMAT_RAW_MAX);
    pages_unmap(writer->raw, FORMAT_RAW_MAX);
    pages_unmap(writer->packed, writer->packed_bytes);
    ZSTD_freeCCtx(writer->zstd);
    pages_unmap(writer->live, writer->live_capacity * sizeof *writer->live);
    pages_unmap(writer->index, writer->index_capacity * sizeof *writer->index);
    tally_close(&writer->tally);
    if (writer->fd > STDERR_FILENO)
        close(writer->fd);
    pages_unmap(writer, sizeof *writer);
}

struct trace_writer *trace_writer_open_columns(const char *path, const char *origin,
                                               unsigned columns, char error[TRACE_ERROR_MAX])
{
    struct trace_writer *writer = pages_map(sizeof *writer);
    if (writer == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        return NULL;
    }
    if (writer_open_all(writer, path, origin, columns))
        return writer;
    memcpy(error, writer->error, TRACE_ERROR_MAX);
    trace_writer_abandon(writer);
    return NULL;
}

static inline void column_put(struct column_out *column, uint64_t value)
{
    column->used = (size_t)(varint_put(column->bytes + column->used, value) - column->bytes);
}

static inline void byte_put(struct column_out *column, unsigned value)
{
    column->bytes[column->used++] = (unsigned char)value;
}

struct trace_writer *trace_writer_open(const char *path, const char *origin,
                                       char error[TRACE_ERROR_MAX])
{
    return trace_writer_open_columns(path, origin, 0, error);
}

void trace_writer_sites(struct trace_writer *writer, const struct sites *sites)
{
    writer->sites = sites;
}

static size_t columns_join(struct trace_writer *writer)
{
    size_t raw = 0;
    for (int i = 0; i < COLUMNS; i++) {
        struct column_out *column = &writer->column[i];
        memcpy(writer->raw + raw, column->bytes, column->used);
        raw += column->used;
        writer->header.column[i] = (uint32_t)column->used;
        column->used = 0;
    }
    return raw;
}

/* Compresses the joined columns into `packed`, or copies them if that is not shorter. */
static bool columns_pack(struct trace_writer *writer, size_t raw)
{
    unsigned char *payload = writer->packed + writer->layout->block_bytes;
    size_t room = writer->packed_bytes - writer->layout->block_bytes - FORMAT_CHECKSUM_BYTES;
    size_t stored = ZSTD_compress2(writer->zstd, payload, room, writer->raw, raw);
    if (ZSTD_isError(stored))
        return writer_fail(writer, "compressing: %s", ZSTD_getErrorName(stored));
    if (stored >= raw) {
        memcpy(payload, writer->raw, raw);
        stored = raw;
    }
    writer->header.stored = (uint32_t)stored;
    return true;
}

static bool index_add(struct trace_writer *writer)
{
    void *p = writer->index;
    if (writer->blocks == FORMAT_BLOCKS_MAX)
        return writer_fail(writer, "too many operations for one trace");
    if (!pages_reserve(&p, &writer->index_capacity, sizeof *writer->index, writer->blocks + 1))
        return writer_fail_errno(writer);
    writer->index = p;
    writer->index[writer->blocks++] = (struct block_entry){
        .offset = writer->offset,
        .ops = writer->header.ops,
        .serial = writer->header.serial,
    };
    return true;
}

static void gapless_end(struct trace_writer *writer)
{
    if (writer->gapless > 0)
        byte_put(&writer->column[COLUMN_GAPS], GAP_CODES + writer->gapless - 1);
    writer->gapless = 0;
}

static bool block_end(struct trace_writer *writer)
{
    if (writer->header.ops == 0)
        return true;
    gapless_end(writer);
    if (!index_add(writer) || !columns_pack(writer, columns_join(writer)))
        return false;
    block_header_put(writer->packed, writer->layout, &writer->header);
    size_t packed = writer->layout->block_bytes + writer->header.stored;
    size_t bytes = bytes_seal(writer->packed, packed);
    writer->header.ops = 0;
    return bytes_write(writer, writer->packed, bytes);
}

static void block_begin(struct trace_writer *writer, const struct trace_op *op)
{
    writer->header.thread = op->thread;
    writer->header.serial = writer->serial;
    writer->header.ticks = writer->ticks;
    writer->thread = op->thread;
    writer->named = writer->serial;
}

/* Ends the block if the longest operation would not fit, and counts how many of them do. */
static bool block_make_room(struct trace_writer *writer)
{
    size_t raw = 0;
    for (int i = 0; i < COLUMNS; i++)
        raw += writer->column[i].used;
    size_t room = (FORMAT_RAW_MAX - raw) / writer->layout->op_max;
    size_t ops = TRACE_BLOCK_OPS - writer->header.ops;
    writer->fitting = room < ops ? room : ops;
    return writer->fitting > 0 || (block_end(writer) && block_make_room(writer));
}

/* Takes the place of one more operation; opens a block if none is open. */
static inline bool block_reserve(struct trace_writer *writer, const struct trace_op *op)
{
    if (writer->fitting == 0 && !block_make_room(writer))
        return false;
    if (writer->header.ops == 0)
        block_begin(writer, op);
    writer->fitting--;
    return true;
}

static inline void clock_put(struct trace_writer *writer, uint64_t ticks)
{
    if (ticks == writer->ticks)
        return;
    struct column_out *kinds = &writer->column[COLUMN_KINDS];
    kinds->bytes[kinds->used++] = MARK_CLOCK;
    column_put(&writer->column[COLUMN_CLOCKS], ticks - writer->ticks);
    writer->ticks = ticks;
}

static inline void mark_put(struct trace_writer *writer, const struct trace_op *op)
{
    struct column_out *kinds = &writer->column[COLUMN_KINDS];
    unsigned mark = op_mark(op);
    if (op->thread != writer->thread) {
        mark |= MARK_THREAD;
        column_put(&writer->column[COLUMN_THREADS], op->thread);
        writer->thread = op->thread;
    }
    kinds->bytes[kinds->used++] = (unsigned char)mark;
}

static inline void gap_put(struct trace_writer *writer, uint64_t gap_ns)
{
    unsigned code = gap_encode(gap_ns);
    if (code > 0) {
        gapless_end(writer);
        byte_put(&writer->column[COLUMN_GAPS], code);
    } else if (++writer->gapless == GAP_RUN_MAX)
        gapless_end(writer);
}

static void site_put(struct trace_writer *writer, uint32_t site)
{
    writer->site = site > writer->site ? site : writer->site;
    column_put(&writer->column[COLUMN_SITES], site);
}

/* What the columns of version 2 tell of op. */
static void columns_put(struct trace_writer *writer, const struct trace_op *op, unsigned shape)
{
    if (writer->columns & TRACE_GAPS)
        gap_put(writer, op->gap_ns);
    if (writer->columns & TRACE_SITES && op_is_call(op))
        site_put(writer, op->site);
    if (writer->columns & TRACE_PRESENT && shape & (SHAPE_FREES | SHAPE_RESIZES))
        column_put(&writer->column[COLUMN_PRESENT], op->present);
}

static inline void op_put(struct trace_writer *writer, const struct trace_op *op, unsigned shape,
                          const struct live_block *block)
{
    mark_put(writer, op);
    if (shape & SHAPE_SIZE)
        column_put(&writer->column[COLUMN_SIZES], op->size);
    if (shape & SHAPE_COUNT)
        column_put(&writer->column[COLUMN_COUNTS], op->count);
    if (shape & SHAPE_NAMES)
        column_put(&writer->column[COLUMN_NAMES], distance_fold(writer->named, block->serial));
    if (writer->columns != 0)
        columns_put(writer, op, shape);
    writer->header.ops++;
}

/* Operations so far. */
static uint64_t writer_ops(struct trace_writer *writer)
{
    return tally_sum(&writer->tally, writer->ticks)->ops;
}

static bool writer_refuse(struct trace_writer *writer, const char *fault)
{
    return writer_fail(writer, "operation %" PRIu64 ": %s", writer_ops(writer), fault);
}

/* NULL, or what is wrong with op on its own or at this place in the trace. */
static inline const char *op_fault(struct trace_writer *writer, const struct trace_op *op,
                                   unsigned shape)
{
    if (op->kind >= TRACE_KINDS || op->flags > MARK_FLAGS || shape == 0)
        return mark_fault(op->kind, op->flags);
    if (!(shape & SHAPE_SIZE) && op->size != 0)
        return "a size where there is none";
    if (!(shape & SHAPE_COUNT) && op->count != 0)
        return "a count where there is none";
    if (op->time_ns / FORMAT_TICK_NS < writer->ticks)
        return "time goes back";
    if (writer->serial == FORMAT_SERIAL_MAX)
        return "too many allocations for one trace";
    const char *fault = op->flags & TRACE_FAILED ? NULL : size_fault(op, shape);
    return fault ? fault : tally_thread(&writer->tally, op);
}

/* What op, just written, does to its block's serial. */
static inline void serial_pass(struct trace_writer *writer, const struct trace_op *op,
                               unsigned shape, struct live_block *block)
{
    uint64_t serial = block->serial;
    if (op_takes_serial(op, shape))
        block->serial = serial = writer->serial++;
    else if (shape & (SHAPE_FREES | SHAPE_RESIZES))
        *block = (struct live_block){0};
    if (shape & SHAPE_NAMES)
        writer->named = serial;
}

bool trace_writer_put(struct trace_writer *writer, const struct trace_op *given,
                      struct live_block *block)
{
    if (writer->failed)
        return false;
    struct trace_op op = *given;
    op.flags &= (uint8_t)~TRACE_HANDOFF;
    unsigned shape = op_shape(&op);
    const char *fault = op_fault(writer, &op, shape);
    if (fault != NULL)
        return writer_refuse(writer, fault);
    bool changes = shape & (SHAPE_FREES | SHAPE_RESIZES);
    if (changes && block->thread != op.thread)
        op.flags |= TRACE_HANDOFF;
    if (changes && writer->columns & TRACE_PRESENT && !present_is_possible(&op, block->bytes))
        return writer_refuse(writer, "more bytes present than the block has");
    if (!block_reserve(writer, &op))
        return false;
    clock_put(writer, op.time_ns / FORMAT_TICK_NS);
    op_put(writer, &op, shape, block);
    writer->tally.marks[op_mark(&op)]++;
    if (block == NULL)
        return true;
    fault = tally_block(&writer->tally.totals, &op, shape, block);
    serial_pass(writer, &op, shape, block);
    return fault == NULL || writer_refuse(writer, fault);
}

/* The record of the block that op names or makes; NULL and the writer failed otherwise. */
static struct live_block *block_of_op(struct trace_writer *writer, const struct trace_op *op)
{
    const char *fault = "without a slot";
    void *p = writer->live;
    if (op->slot != TRACE_NO_SLOT) {
        size_t wanted = (size_t)op->slot + 1;
        if (!pages_reserve(&p, &writer->live_capacity, sizeof *writer->live, wanted)) {
            writer_fail_errno(writer);
            return NULL;
        }
        writer->live = p;
        struct live_block *block = &writer->live[op->slot];
        if (((op_shape(op) & SHAPE_NAMES) != 0) == (block->serial != 0))
            return block;
        fault = block->serial ? "of a slot that is live" : "of a slot that is not live";
    }
    writer_fail(writer, "operation %" PRIu64 ": %s %s", writer_ops(writer),
                trace_kind_name(op->kind), fault);
    return NULL;
}

bool trace_writer_add(struct trace_writer *writer, const struct trace_op *op)
{
    if (writer->failed)
        return false;
    if (!(op_shape(op) & (SHAPE_NAMES | SHAPE_MAKES)))
        return trace_writer_put(writer, op, NULL);
    struct live_block *block = block_of_op(writer, op);
    return block != NULL && trace_writer_put(writer, op, block);
}

/* The trailer's bytes, mapped; NULL and errno on failure. */
static unsigned char *trailer_build(struct trace_writer *writer, const char *losses, size_t *bytes)
{
    size_t length = strlen(losses);
    const uint64_t *totals = (const uint64_t *)tally_sum(&writer->tally, writer->ticks);
    size_t first = writer->layout->trailer_bytes;
    *bytes = first + FORMAT_TOTALS * 8 + length + writer->blocks * FORMAT_ENTRY_BYTES +
             FORMAT_TAIL_BYTES;
    unsigned char *start = pages_map(*bytes);
    if (start == NULL)
        return NULL;
    u32_put(start, FORMAT_TRAILER_TAG);
    u32_put(start + 4, FORMAT_TOTALS);
    u32_put(start + 8, (uint32_t)length);
    u32_put(start + 12, (uint32_t)writer->blocks);
    u64_put(start + 16, writer->serial);
    if (writer->columns != 0)
        u64_put(start + 24, writer->sites_bytes);
    unsigned char *at = start + first;
    for (int i = 0; i < FORMAT_TOTALS; i++, at += 8)
        u64_put(at, totals[i]);
    memcpy(at, losses, length);
    at += length;
    for (size_t i = 0; i < writer->blocks; i++, at += FORMAT_ENTRY_BYTES) {
        u64_put(at, writer->index[i].offset);
        u64_put(at + 8, writer->index[i].ops);
        u64_put(at + 16, writer->index[i].serial);
    }
    u64_put(at, *bytes);
    memcpy(at + 8, FORMAT_END_MAGIC, FORMAT_MAGIC_BYTES);
    bytes_seal(start, *bytes - FORMAT_CHECKSUM_BYTES);
    return start;
}

static bool writer_put_sites(struct trace_writer *writer)
{
    size_t bytes, mapped;
    size_t known = writer->sites != NULL ? writer->sites->count : 0;
    if (!(writer->columns & TRACE_SITES))
        return true;
    if (writer->site > known)
        return writer_fail(writer, "site %" PRIu32 " is not in the table", writer->site);
    if (known == 0)
        return true;
    unsigned char *part = sites_file_build(writer->sites, &bytes, &mapped);
    if (part == NULL)
        return writer_fail_errno(writer);
    writer->sites_bytes = bytes;
    bool ok = bytes_write(writer, part, bytes);
    pages_unmap(part, mapped);
    return ok;
}

static bool writer_put_trailer(struct trace_writer *writer, const char *losses)
{
    if (strlen(losses) > TRACE_TEXT_MAX)
        return writer_fail(writer, "losses text is too long");
    size_t bytes;
    unsigned char *trailer = trailer_build(writer, losses, &bytes);
    if (trailer == NULL)
        return writer_fail_errno(writer);
    bool ok = bytes_write(writer, trailer, bytes);
    pages_unmap(trailer, bytes);
    return ok;
}

/* Some file systems tell of a full disk only when the file is closed. */
static bool writer_publish(struct trace_writer *writer)
{
    if (writer->direct)
        return true;
    int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0 || rename(writer->beside, writer->path) != 0)
        return writer_fail_errno(writer);
    unfinished_end(writer->beside);
    writer->beside[0] = '\0';
    return true;
}

bool trace_writer_finish(struct trace_writer *writer, const char *losses,
                         char error[TRACE_ERROR_MAX])
{
    bool ok = !writer->failed && block_end(writer) && writer_put_sites(writer) &&
              writer_put_trailer(writer, losses) && writer_publish(writer);
    if (!ok)
        memcpy(error, writer->error, TRACE_ERROR_MAX);
    trace_writer_abandon(writer);
    return ok;
}

void trace_writer_abandon(struct trace_writer *writer)
{
    if (writer->beside[0] != '\0')
        unlink(writer->beside);
    unfinished_end(writer->beside);
    writer_close(writer);
}

const char *trace_writer_error(const struct trace_writer *writer)
{
    return writer->error;
}
