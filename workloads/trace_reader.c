/*
 * Reads a trace block by block, trusting nothing in it. It neither calls malloc nor uses streams,
 * since it runs inside the programs whose malloc is measured; and it reads with pread rather than
 * from a mapping, so that a file that shrinks meanwhile is an error and no SIGBUS.
 */
#define ZSTD_STATIC_LINKING_ONLY

#include "pages.h"
#include "slots.h"
#include "trace_format.h"

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

enum {
    PACKED_MAX = FORMAT_BLOCK_BYTES + FORMAT_RAW_MAX + FORMAT_CHECKSUM_BYTES,
    NAMES_BYTES = TRACE_BLOCK_OPS * sizeof(uint64_t),
    NAMES_AHEAD = 16, /* operations by which a look-up is prefetched; 8 to 32 are alike */
};

/* What is left of a column. */
struct column {
    const unsigned char *at, *end;
};

struct trace_reader {
    int fd;
    char path[PATH_MAX];
    char error[TRACE_ERROR_MAX];
    bool failed;
    uint64_t file_bytes;
    char origin[TRACE_TEXT_MAX + 1];
    char losses[TRACE_TEXT_MAX + 1];

    unsigned char *trailer; /* as in the file; the index is read in place */
    size_t trailer_bytes;
    const unsigned char *index;
    size_t blocks;
    uint64_t index_end;    /* where the trailer begins, and the last block ends */
    uint64_t final_serial; /* as the trailer says */
    struct trace_totals totals;

    size_t block;    /* the next to be read */
    uint64_t serial; /* the next to be given */
    uint64_t ticks;
    uint32_t thread;
    struct column column[COLUMNS];
    struct tally tally;
    struct slots slots;
    unsigned char *packed; /* PACKED_MAX mapped */
    unsigned char *raw;    /* FORMAT_RAW_MAX mapped */
    uint64_t *names;       /* of the block's operations, see op_take_name; NAMES_BYTES mapped */
    ZSTD_DCtx *zstd;
};

__attribute__((format(printf, 2, 3))) static bool reader_fail(struct trace_reader *reader,
                                                              const char *format, ...)
{
    if (reader->failed)
        return false;
    reader->failed = true;
    int n = snprintf(reader->error, sizeof reader->error, "%.400s: ", reader->path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error + n, sizeof reader->error - (size_t)n, format, arguments);
    va_end(arguments);
    return false;
}

static bool reader_fail_errno(struct trace_reader *reader)
{
    return reader_fail(reader, "%s", strerror(errno));
}

static bool block_fail(struct trace_reader *reader, const char *what)
{
    return reader_fail(reader, "block %zu: %s", reader->block, what);
}

static bool bytes_read(struct trace_reader *reader, uint64_t offset, void *bytes, size_t n)
{
    char *at = bytes;
    while (n > 0) {
        ssize_t done = pread(reader->fd, at, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return reader_fail_errno(reader);
        if (done == 0)
            return reader_fail(reader, "cut short at byte %" PRIu64, offset);
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return true;
}

/* Whether the checksum behind the n bytes is theirs. */
static bool bytes_are_sealed(const unsigned char *bytes, size_t n)
{
    return XXH64(bytes, n, 0) == u64_take(bytes + n);
}

static bool reader_open_file(struct trace_reader *reader)
{
    struct stat st;
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->fd < 0 || fstat(reader->fd, &st) != 0)
        return reader_fail_errno(reader);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return reader_fail_errno(reader);
    }
    if (!S_ISREG(st.st_mode))
        return reader_fail(reader, "not a regular file");
    reader->file_bytes = (uint64_t)st.st_size;
    return true;
}

static bool reader_open_memory(struct trace_reader *reader)
{
    ZSTD_customMem memory = {pages_lend, pages_return, NULL};
    reader->packed = pages_map(PACKED_MAX);
    reader->raw = pages_map(FORMAT_RAW_MAX);
    reader->names = pages_map(NAMES_BYTES);
    reader->zstd = ZSTD_createDCtx_advanced(memory);
    if (reader->packed && reader->raw && reader->names && reader->zstd)
        return true;
    errno = ENOMEM;
    return reader_fail_errno(reader);
}

static bool text_fits(uint32_t length)
{
    return length <= TRACE_TEXT_MAX;
}

/* A text is handed out as a C string: a zero inside would hide the rest. */
static bool text_take(char *text, const unsigned char *bytes, size_t length)
{
    memcpy(text, bytes, length);
    text[length] = '\0';
    return strlen(text) == length;
}

static bool header_read(struct trace_reader *reader)
{
    unsigned char *at = reader->packed;
    size_t first = FORMAT_HEADER_BYTES;
    if (reader->file_bytes < FORMAT_MAGIC_BYTES)
        return reader_fail(reader, "not a trace (%" PRIu64 " bytes)", reader->file_bytes);
    if (!bytes_read(reader, 0, at, FORMAT_MAGIC_BYTES))
        return false;
    if (memcmp(at, FORMAT_MAGIC, FORMAT_MAGIC_BYTES) != 0)
        return reader_fail(reader, "not a trace (its first bytes are not a trace's)");
    if (!bytes_read(reader, 0, at, first))
        return false;
    if (u32_take(at + 8) != FORMAT_VERSION)
        return reader_fail(reader, "header: version %" PRIu32 ", but this program reads %d",
                           u32_take(at + 8), FORMAT_VERSION);
    uint32_t length = u32_take(at + 12);
    if (!text_fits(length))
        return reader_fail(reader, "header: origin text is too long");
    if (!bytes_read(reader, first, at + first, length + FORMAT_CHECKSUM_BYTES))
        return false;
    if (!bytes_are_sealed(at, first + length))
        return reader_fail(reader, "header: damaged (checksum)");
    if (!text_take(reader->origin, at + first, length))
        return reader_fail(reader, "header: origin text holds a zero byte");
    reader->index_end = first + length + FORMAT_CHECKSUM_BYTES;
    return true;
}

/* Finds the trailer from the end of the file and reads it whole. */
static bool trailer_read(struct trace_reader *reader)
{
    unsigned char tail[FORMAT_TAIL_BYTES];
    uint64_t body = reader->file_bytes - reader->index_end;
    const size_t least = FORMAT_TRAILER_BYTES + FORMAT_TOTALS * 8 + FORMAT_TAIL_BYTES;
    if (body < least)
        return reader_fail(reader, "cut short (no trailer at its end)");
    if (!bytes_read(reader, reader->file_bytes - sizeof tail, tail, sizeof tail))
        return false;
    if (memcmp(tail + 8, FORMAT_END_MAGIC, FORMAT_MAGIC_BYTES) != 0)
        return reader_fail(reader, "cut short (no trailer at its end)");
    uint64_t bytes = u64_take(tail);
    const uint64_t most = least + TRACE_TEXT_MAX + (uint64_t)FORMAT_BLOCKS_MAX * FORMAT_ENTRY_BYTES;
    if (bytes < least || bytes > body || bytes > most)
        return reader_fail(reader, "trailer: impossible length");
    reader->trailer = pages_map(bytes);
    if (reader->trailer == NULL)
        return reader_fail_errno(reader);
    reader->trailer_bytes = bytes;
    if (!bytes_read(reader, reader->file_bytes - bytes, reader->trailer, bytes))
        return false;
    if (!bytes_are_sealed(reader->trailer, bytes - FORMAT_CHECKSUM_BYTES))
        return reader_fail(reader, "trailer: damaged (checksum)");
    return true;
}

/* Takes the trailer apart; every length in it must come out even. */
static bool trailer_take(struct trace_reader *reader)
{
    const unsigned char *at = reader->trailer;
    uint64_t *totals = (uint64_t *)&reader->totals;
    uint32_t length = u32_take(at + 8);
    reader->blocks = u32_take(at + 12);
    reader->final_serial = u64_take(at + 16);
    if (u32_take(at) != FORMAT_TRAILER_TAG || u32_take(at + 4) != FORMAT_TOTALS ||
        !text_fits(length) || reader->blocks > FORMAT_BLOCKS_MAX ||
        reader->trailer_bytes != FORMAT_TRAILER_BYTES + FORMAT_TOTALS * 8 + length +
                                     reader->blocks * FORMAT_ENTRY_BYTES + FORMAT_TAIL_BYTES)
        return reader_fail(reader, "trailer: its parts do not fit its length");
    at += FORMAT_TRAILER_BYTES;
    for (int i = 0; i < FORMAT_TOTALS; i++, at += 8)
        totals[i] = u64_take(at);
    if (!text_take(reader->losses, at, length))
        return reader_fail(reader, "trailer: losses text holds a zero byte");
    reader->index = at + length;
    return true;
}

/* Entry i of the index; the one behind the last says where the blocks end. */
static struct block_entry index_entry(const struct trace_reader *reader, size_t i)
{
    if (i == reader->blocks)
        return (struct block_entry){reader->index_end, 0, reader->final_serial};
    const unsigned char *at = reader->index + i * FORMAT_ENTRY_BYTES;
    return (struct block_entry){u64_take(at), u64_take(at + 8), u64_take(at + 16)};
}

static bool entry_is_possible(const struct block_entry *entry, const struct block_entry *next)
{
    const uint64_t least = FORMAT_BLOCK_BYTES + 1 + FORMAT_CHECKSUM_BYTES;
    return entry->ops > 0 && entry->ops <= TRACE_BLOCK_OPS && entry->offset < next->offset &&
           next->offset - entry->offset >= least && next->offset - entry->offset <= PACKED_MAX &&
           entry->serial <= next->serial && next->serial - entry->serial <= entry->ops;
}

/* The index must cover all between header and trailer without a gap. */
static bool index_check(struct trace_reader *reader)
{
    uint64_t start = reader->index_end;
    uint64_t ops = 0;
    reader->index_end = reader->file_bytes - reader->trailer_bytes;
    struct block_entry entry = index_entry(reader, 0);
    if (entry.offset != start || entry.serial != 1)
        return reader_fail(reader, "trailer: the index does not begin at the first block");
    for (size_t i = 0; i < reader->blocks; i++) {
        struct block_entry next = index_entry(reader, i + 1);
        if (!entry_is_possible(&entry, &next))
            return reader_fail(reader, "trailer: entry %zu of the index is impossible", i);
        ops += entry.ops;
        entry = next;
    }
    if (ops != reader->totals.ops || entry.serial > FORMAT_SERIAL_MAX)
        return reader_fail(reader, "trailer: totals do not agree with the index");
    return true;
}

/* Callers size their tables by the totals: they must be possible before anything was read. */
static bool totals_check(struct trace_reader *reader)
{
    const struct trace_totals *totals = &reader->totals;
    uint64_t kinds = 0;
    for (int i = 0; i < TRACE_KINDS; i++) {
        if (totals->by_kind[i] > totals->ops)
            return reader_fail(reader, "trailer: totals cannot be true");
        kinds += totals->by_kind[i];
    }
    if (kinds != totals->ops || totals->threads != totals->by_kind[TRACE_THREAD_START] ||
        totals->threads > TRACE_THREADS_MAX || totals->slots >= reader->final_serial ||
        totals->slots >= TRACE_NO_SLOT || totals->final_slots > totals->slots ||
        totals->final_live > totals->peak_live || totals->peak_live > totals->bytes_requested ||
        totals->failed > totals->ops || totals->handoffs > totals->ops ||
        totals->null_frees > totals->by_kind[TRACE_FREE])
        return reader_fail(reader, "trailer: totals cannot be true");
    return true;
}

static bool reader_open_all(struct trace_reader *reader, const char *path)
{
    int n = snprintf(reader->path, sizeof reader->path, "%s", path);
    reader->fd = -1;
    reader->serial = 1;
    if (n >= (int)sizeof reader->path)
        return reader_fail(reader, "%s", strerror(ENAMETOOLONG));
    return reader_open_file(reader) && reader_open_memory(reader) && header_read(reader) &&
           trailer_read(reader) && trailer_take(reader) && index_check(reader) &&
           totals_check(reader);
}

struct trace_reader *trace_reader_open(const char *path, char error[TRACE_ERROR_MAX])
{
    struct trace_reader *reader = pages_map(sizeof *reader);
    if (reader == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        return NULL;
    }
    if (reader_open_all(reader, path))
        return reader;
    memcpy(error, reader->error, TRACE_ERROR_MAX);
    trace_reader_close(reader);
    return NULL;
}

void trace_reader_close(struct trace_reader *reader)
{
    pages_unmap(reader->trailer, reader->trailer_bytes);
    pages_unmap(reader->packed, PACKED_MAX);
    pages_unmap(reader->raw, FORMAT_RAW_MAX);
    pages_unmap(reader->names, NAMES_BYTES);
    ZSTD_freeDCtx(reader->zstd);
    tally_close(&reader->tally);
    slots_close(&reader->slots);
    if (reader->fd >= 0)
        close(reader->fd);
    pages_unmap(reader, sizeof *reader);
}

/* Reads and verifies the block's bytes; only its header has been taken apart afterwards. */
static bool block_read(struct trace_reader *reader, struct block_header *header)
{
    struct block_entry entry = index_entry(reader, reader->block);
    struct block_entry next = index_entry(reader, reader->block + 1);
    size_t bytes = next.offset - entry.offset;
    if (!bytes_read(reader, entry.offset, reader->packed, bytes))
        return false;
    if (!bytes_are_sealed(reader->packed, bytes - FORMAT_CHECKSUM_BYTES))
        return block_fail(reader, "damaged (checksum)");
    const char *fault = block_header_take(header, reader->packed);
    if (fault != NULL)
        return block_fail(reader, fault);
    if (FORMAT_BLOCK_BYTES + header->stored + FORMAT_CHECKSUM_BYTES != bytes ||
        header->ops != entry.ops || header->serial != entry.serial)
        return block_fail(reader, "its header does not agree with the index");
    if (header->serial != reader->serial || header->ticks != reader->ticks)
        return block_fail(reader, "it does not continue the block before");
    return true;
}

/* Makes the columns point into the unpacked payload. */
static bool block_unpack(struct trace_reader *reader, const struct block_header *header)
{
    const unsigned char *payload = reader->packed + FORMAT_BLOCK_BYTES;
    size_t raw = block_header_raw(header);
    if (header->stored < raw) {
        size_t n = ZSTD_decompressDCtx(reader->zstd, reader->raw, raw, payload, header->stored);
        if (ZSTD_isError(n) || n != raw)
            return block_fail(reader, "its payload cannot be decompressed");
        payload = reader->raw;
    }
    for (int i = 0; i < COLUMNS; i++) {
        reader->column[i] = (struct column){payload, payload + header->column[i]};
        payload += header->column[i];
    }
    reader->thread = header->thread;
    return true;
}

/* false: the column ends within the number, or the number has more than 64 bits. */
static bool varint_take_long(struct column *column, uint64_t *value)
{
    const unsigned char *at = column->at;
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 64 && at < column->end; shift += 7) {
        uint64_t byte = *at++;
        if (shift == 63 && byte > 1)
            return false;
        sum |= (byte & 127) << shift;
        if (byte < 128) {
            *value = sum;
            column->at = at;
            return true;
        }
    }
    return false;
}

static inline bool varint_take(struct column *column, uint64_t *value)
{
    if (column->at < column->end && *column->at < 128) {
        *value = *column->at++;
        return true;
    }
    return varint_take_long(column, value);
}

/* Takes clock marks up to the next operation's mark. */
static const char *mark_take(struct trace_reader *reader, unsigned *mark)
{
    struct column *kinds = &reader->column[COLUMN_KINDS];
    while (kinds->at < kinds->end) {
        *mark = *kinds->at++;
        if (*mark != MARK_CLOCK)
            return NULL;
        uint64_t step;
        if (!varint_take(&reader->column[COLUMN_CLOCKS], &step) || step == 0 ||
            step > UINT64_MAX / FORMAT_TICK_NS - reader->ticks)
            return "impossible step of time";
        reader->ticks += step;
    }
    return "its kinds column is too short";
}

/* Everything of an operation that stands in the columns, except which block it names. */
static const char *op_take(struct trace_reader *reader, struct trace_op *op)
{
    unsigned mark;
    const char *fault = mark_take(reader, &mark);
    if (fault != NULL)
        return fault;
    if (mark & MARK_THREAD) {
        uint64_t thread;
        if (!varint_take(&reader->column[COLUMN_THREADS], &thread) || thread >= TRACE_THREADS_MAX ||
            thread == reader->thread)
            return "impossible change of thread";
        reader->thread = (uint32_t)thread;
    }
    *op = (struct trace_op){
        .time_ns = reader->ticks * FORMAT_TICK_NS,
        .slot = TRACE_NO_SLOT,
        .thread = reader->thread,
        .kind = mark & MARK_KIND,
        .flags = mark >> MARK_FLAGS_SHIFT & MARK_FLAGS,
    };
    if (op_has_size(op) && !varint_take(&reader->column[COLUMN_SIZES], &op->size))
        return "impossible size";
    if (op_has_count(op) && !varint_take(&reader->column[COLUMN_COUNTS], &op->count))
        return "impossible count";
    return op_fault(op);
}

/* Where names stand within a block of the file. */
struct naming {
    uint64_t serial; /* the next to be given */
    uint64_t named;  /* where the next distance starts */
};

/* The serial of the block that op names, else the one that it would give. */
static const char *op_take_name(struct trace_reader *reader, const struct trace_op *op,
                                struct naming *naming, uint64_t *name)
{
    uint64_t distance;
    *name = naming->serial;
    if (op_names_block(op)) {
        if (!varint_take(&reader->column[COLUMN_NAMES], &distance))
            return "impossible name of a block";
        *name = naming->named = distance_unfold(naming->named, distance);
    }
    if (op_takes_serial(op)) {
        if (op_names_block(op))
            naming->named = naming->serial;
        naming->serial++;
    }
    return NULL;
}

/* Finds the live block that op names. */
static const char *op_find(struct trace_reader *reader, struct trace_op *op, uint64_t name)
{
    op->slot = slots_find(&reader->slots, name);
    if (op->slot == TRACE_NO_SLOT)
        return "names a block that is not live";
    const struct live_block *block = &reader->slots.blocks[op->slot];
    bool handoff = !(op->flags & TRACE_FAILED) && block->thread != op->thread;
    if (handoff != ((op->flags & TRACE_HANDOFF) != 0))
        return "hand-off flag is wrong";
    return NULL;
}

/* Gives op the slot of its block, made now if it begins here. */
static const char *op_give_slot(struct trace_reader *reader, struct trace_op *op, uint64_t name)
{
    if (op_names_block(op))
        return op_find(reader, op, name);
    if (!trace_op_makes(op))
        return NULL;
    op->slot = slots_make(&reader->slots, name);
    return op->slot == TRACE_NO_SLOT ? "out of memory" : NULL;
}

/* What op does to the blocks that live. */
static const char *op_apply(struct trace_reader *reader, struct trace_op *op, uint64_t name)
{
    const char *fault = tally_thread(&reader->tally, op);
    if (fault == NULL)
        fault = op_give_slot(reader, op, name);
    if (fault != NULL)
        return fault;
    bool has_block = op->slot != TRACE_NO_SLOT;
    fault = tally_add(&reader->tally, op, has_block ? &reader->slots.blocks[op->slot] : NULL);
    if (trace_op_frees(op))
        slots_free(&reader->slots, op->slot);
    else if (op_takes_serial(op) && op_names_block(op))
        slots_rename(&reader->slots, op->slot, reader->serial);
    reader->serial += op_takes_serial(op);
    return fault;
}

static bool columns_are_used_up(const struct trace_reader *reader)
{
    for (int i = 0; i < COLUMNS; i++) {
        if (reader->column[i].at != reader->column[i].end)
            return false;
    }
    return true;
}

static bool op_fail(struct trace_reader *reader, size_t i, const char *what)
{
    return reader_fail(reader, "block %zu: operation %zu: %s", reader->block, i, what);
}

/* First pass over a block: all that its columns say. */
static bool block_take(struct trace_reader *reader, struct trace_op *ops, size_t n)
{
    struct naming naming = {.serial = reader->serial, .named = reader->serial};
    for (size_t i = 0; i < n; i++) {
        const char *fault = op_take(reader, &ops[i]);
        if (fault == NULL)
            fault = op_take_name(reader, &ops[i], &naming, &reader->names[i]);
        if (fault != NULL)
            return op_fail(reader, i, fault);
    }
    return columns_are_used_up(reader) || block_fail(reader, "its columns are too long");
}

/* Second pass: names become slots. The look-ups miss the cache where many blocks live, hence the
   pass of its own: by now the names to come are known. */
static bool block_apply(struct trace_reader *reader, struct trace_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i + NAMES_AHEAD < n)
            slots_prefetch(&reader->slots, reader->names[i + NAMES_AHEAD]);
        const char *fault = op_apply(reader, &ops[i], reader->names[i]);
        if (fault != NULL)
            return op_fail(reader, i, fault);
    }
    return true;
}

static bool reader_end(struct trace_reader *reader)
{
    if (reader->serial != reader->final_serial ||
        memcmp(&reader->totals, &reader->tally.totals, sizeof reader->totals) != 0)
        return reader_fail(reader, "trailer: totals do not agree with the operations");
    return true;
}

bool trace_reader_next(struct trace_reader *reader, struct trace_op *ops, size_t *n)
{
    *n = 0;
    if (reader->failed)
        return false;
    if (reader->block == reader->blocks)
        return reader_end(reader);
    struct block_header header;
    if (!block_read(reader, &header) || !block_unpack(reader, &header) ||
        !block_take(reader, ops, header.ops) || !block_apply(reader, ops, header.ops))
        return false;
    reader->block++;
    *n = header.ops;
    return true;
}

const struct trace_totals *trace_reader_totals(const struct trace_reader *reader)
{
    return &reader->totals;
}

const char *trace_reader_origin(const struct trace_reader *reader)
{
    return reader->origin;
}

const char *trace_reader_losses(const struct trace_reader *reader)
{
    return reader->losses;
}

const char *trace_reader_error(const struct trace_reader *reader)
{
    return reader->error;
}

size_t trace_reader_mapped(const struct trace_reader *reader)
{
    return sizeof *reader + reader->trailer_bytes + PACKED_MAX + FORMAT_RAW_MAX + NAMES_BYTES +
           ZSTD_sizeof_DCtx(reader->zstd) + reader->tally.ended_words * sizeof(uint64_t) +
           slots_mapped(&reader->slots);
}
