/*
 * Reads a trace block by block, trusting nothing in it. It neither calls malloc nor uses streams,
 * since it runs inside the programs whose malloc is measured; and it reads with pread rather than
 * from a mapping, so that a file that shrinks meanwhile is an error and no SIGBUS.
 */
#define ZSTD_STATIC_LINKING_ONLY

#include "pages.h"
#include "plural.h"
#include "sites_file.h"
#include "slots.h"
#include "trace_format.h"
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

enum {
    HEADER_LEAST = 16, /* of a file's header, up to what every version has */
    BLOCK_LEAST = 56 + 1 + FORMAT_CHECKSUM_BYTES, /* bytes of a block of any version */
    PACKED_MAX = FORMAT_BLOCK_MAX + FORMAT_RAW_MAX + FORMAT_CHECKSUM_BYTES,
};

struct trace_reader {
    int fd;
    char path[PATH_MAX];
    char error[TRACE_ERROR_MAX];
    bool failed;
    uint64_t file_bytes;
    char origin[TRACE_TEXT_MAX + 1];
    char losses[TRACE_TEXT_MAX + 1];
    const struct layout *layout;
    unsigned columns; /* enum trace_column, or-ed */
    struct sites sites;

    unsigned char *trailer; /* as in the file; the index is read in place */
    size_t trailer_bytes;
    const unsigned char *index;
    size_t blocks;
    uint64_t sites_bytes;  /* that the table of sites takes in the file */
    uint64_t index_end;    /* where the last block ends, and the table of sites begins */
    uint64_t final_serial; /* as the trailer says */
    struct trace_totals totals;

    size_t block;    /* the next to be read */
    uint64_t serial; /* the next to be given */
    uint64_t ticks;  /* of the last operation */
    struct tally tally;
    struct slots slots;
    unsigned char *packed; /* PACKED_MAX mapped */
    unsigned char *raw;    /* FORMAT_RAW_MAX mapped */
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
    reader->zstd = ZSTD_createDCtx_advanced(memory);
    if (reader->packed && reader->raw && reader->zstd)
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

/* What version 2 is for; one that has none of them is version 1. */
static bool columns_take(struct trace_reader *reader, uint32_t columns)
{
    if (columns == 0 || (columns & ~(uint32_t)TRACE_COLUMNS) != 0)
        return reader_fail(reader, "header: columns that this program does not know");
    reader->columns = columns;
    return true;
}

static bool header_read(struct trace_reader *reader)
{
    unsigned char *at = reader->packed;
    if (reader->file_bytes < FORMAT_MAGIC_BYTES)
        return reader_fail(reader, "not a trace (%" PRIu64 " byte%s)", reader->file_bytes,
                           plural(reader->file_bytes));
    if (!bytes_read(reader, 0, at, FORMAT_MAGIC_BYTES))
        return false;
    if (memcmp(at, FORMAT_MAGIC, FORMAT_MAGIC_BYTES) != 0)
        return reader_fail(reader, "not a trace (its first bytes are not a trace's)");
    if (!bytes_read(reader, 0, at, HEADER_LEAST))
        return false;
    reader->layout = layout_find(u32_take(at + 8));
    if (reader->layout == NULL)
        return reader_fail(reader, "header: version %" PRIu32 ", but this program reads 1 to %d",
                           u32_take(at + 8), FORMAT_VERSIONS);
    size_t first = reader->layout->header_bytes;
    uint32_t length = u32_take(at + 12);
    if (!text_fits(length))
        return reader_fail(reader, "header: origin text is too long");
    if (!bytes_read(reader, 0, at, first + length + FORMAT_CHECKSUM_BYTES))
        return false;
    if (!bytes_are_sealed(at, first + length))
        return reader_fail(reader, "header: damaged (checksum)");
    if (!text_take(reader->origin, at + first, length))
        return reader_fail(reader, "header: origin text holds a zero byte");
    if (first > HEADER_LEAST && !columns_take(reader, u32_take(at + HEADER_LEAST)))
        return false;
    reader->index_end = first + length + FORMAT_CHECKSUM_BYTES;
    return true;
}

/* Finds the trailer from the end of the file and reads it whole. */
static bool trailer_read(struct trace_reader *reader)
{
    unsigned char tail[FORMAT_TAIL_BYTES];
    uint64_t body = reader->file_bytes - reader->index_end;
    const size_t least = reader->layout->trailer_bytes + FORMAT_TOTALS * 8 + FORMAT_TAIL_BYTES;
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
    if (reader->columns != 0)
        reader->sites_bytes = u64_take(at + 24);
    if (u32_take(at) != FORMAT_TRAILER_TAG || u32_take(at + 4) != FORMAT_TOTALS ||
        !text_fits(length) || reader->blocks > FORMAT_BLOCKS_MAX ||
        (reader->sites_bytes > 0 && !(reader->columns & TRACE_SITES)) ||
        reader->sites_bytes > SITES_FILE_MOST ||
        reader->sites_bytes > reader->file_bytes - reader->trailer_bytes - reader->index_end ||
        reader->trailer_bytes != reader->layout->trailer_bytes + FORMAT_TOTALS * 8 + length +
                                     reader->blocks * FORMAT_ENTRY_BYTES + FORMAT_TAIL_BYTES)
        return reader_fail(reader, "trailer: its parts do not fit its length");
    at += reader->layout->trailer_bytes;
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
    return entry->ops > 0 && entry->ops <= TRACE_BLOCK_OPS && entry->offset < next->offset &&
           next->offset - entry->offset >= BLOCK_LEAST &&
           next->offset - entry->offset <= PACKED_MAX && entry->serial <= next->serial &&
           next->serial - entry->serial <= entry->ops;
}

/* The index must cover all between header and trailer without a gap. */
static bool index_check(struct trace_reader *reader)
{
    uint64_t start = reader->index_end;
    uint64_t ops = 0;
    reader->index_end = reader->file_bytes - reader->trailer_bytes - reader->sites_bytes;
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

/* The table of sites lies between the last block and the trailer. */
static bool sites_read(struct trace_reader *reader)
{
    size_t bytes = reader->sites_bytes;
    if (bytes == 0)
        return true;
    unsigned char *part = pages_map(bytes);
    if (part == NULL)
        return reader_fail_errno(reader);
    bool ok = bytes_read(reader, reader->index_end, part, bytes);
    const char *fault = ok ? sites_file_take(&reader->sites, part, bytes) : NULL;
    pages_unmap(part, bytes);
    return fault == NULL ? ok : reader_fail(reader, "table of sites: %s", fault);
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
           totals_check(reader) && sites_read(reader);
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
    ZSTD_freeDCtx(reader->zstd);
    tally_close(&reader->tally);
    slots_close(&reader->slots);
    sites_close(&reader->sites);
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
    const char *fault = block_header_take(header, reader->layout, reader->packed);
    if (fault != NULL)
        return block_fail(reader, fault);
    if (reader->layout->block_bytes + header->stored + FORMAT_CHECKSUM_BYTES != bytes ||
        header->ops != entry.ops || header->serial != entry.serial)
        return block_fail(reader, "its header does not agree with the index");
    if (header->serial != reader->serial || header->ticks != reader->ticks)
        return block_fail(reader, "it does not continue the block before");
    return true;
}

/* How far a block's columns are taken. */
struct decoder {
    struct column column[COLUMNS];
    uint64_t ticks;
    uint64_t serial; /* the next to be given */
    uint64_t named;  /* where the next distance starts */
    uint32_t thread;
    unsigned columns; /* enum trace_column, or-ed */
    unsigned gapless; /* operations without a gap that were told and not taken */
    uint32_t sites;   /* numbers that a site may have */
};

/* The columns, unpacked; NULL: the reader has failed. */
static const unsigned char *block_unpack(struct trace_reader *reader,
                                         const struct block_header *header)
{
    const unsigned char *payload = reader->packed + reader->layout->block_bytes;
    size_t raw = block_header_raw(header);
    if (header->stored == raw)
        return payload;
    size_t n = ZSTD_decompressDCtx(reader->zstd, reader->raw, raw, payload, header->stored);
    if (!ZSTD_isError(n) && n == raw)
        return reader->raw;
    block_fail(reader, "its payload cannot be decompressed");
    return NULL;
}

static struct decoder decoder_open(const struct trace_reader *reader,
                                   const struct block_header *header, const unsigned char *raw)
{
    struct decoder decoder = {
        .ticks = header->ticks,
        .serial = header->serial,
        .named = header->serial,
        .thread = header->thread,
        .columns = reader->columns,
        .sites = (uint32_t)reader->sites.count,
    };
    for (int i = 0; i < COLUMNS; i++) {
        decoder.column[i] = (struct column){raw, raw + header->column[i]};
        raw += header->column[i];
    }
    return decoder;
}

/* Takes clock marks up to the next operation's mark. */
static inline const char *mark_take(struct decoder *decoder, unsigned *mark)
{
    struct column *kinds = &decoder->column[COLUMN_KINDS];
    while (kinds->at < kinds->end) {
        *mark = *kinds->at++;
        if (*mark != MARK_CLOCK)
            return NULL;
        uint64_t step;
        if (!varint_take(&decoder->column[COLUMN_CLOCKS], &step) || step == 0 ||
            step > UINT64_MAX / FORMAT_TICK_NS - decoder->ticks)
            return "impossible step of time";
        decoder->ticks += step;
    }
    return "its kinds column is too short";
}

static inline const char *thread_take(struct decoder *decoder)
{
    uint64_t thread;
    if (!varint_take(&decoder->column[COLUMN_THREADS], &thread) || thread >= TRACE_THREADS_MAX ||
        thread == decoder->thread)
        return "impossible change of thread";
    decoder->thread = (uint32_t)thread;
    return NULL;
}

static inline const char *sizes_take(struct decoder *decoder, struct trace_op *op, unsigned shape)
{
    if (!varint_take(&decoder->column[COLUMN_SIZES], &op->size))
        return "impossible size";
    if (shape & SHAPE_COUNT && !varint_take(&decoder->column[COLUMN_COUNTS], &op->count))
        return "impossible count";
    return op->flags & TRACE_FAILED ? NULL : size_fault(op, shape);
}

static inline const char *gap_take(struct decoder *decoder, struct trace_op *op)
{
    struct column *gaps = &decoder->column[COLUMN_GAPS];
    if (decoder->gapless > 0) {
        decoder->gapless--;
        return NULL;
    }
    if (gaps->at == gaps->end || *gaps->at == 0)
        return "impossible gap";
    unsigned code = *gaps->at++;
    if (code < GAP_CODES)
        op->gap_ns = gap_decode(code);
    else
        decoder->gapless = code - GAP_CODES;
    return NULL;
}

static inline const char *site_take(struct decoder *decoder, struct trace_op *op)
{
    uint64_t site;
    if (!varint_take(&decoder->column[COLUMN_SITES], &site) || site > decoder->sites)
        return "a site that is not in the table";
    op->site = (uint32_t)site;
    return NULL;
}

/* What columns tell of any operation, or any call. */
static const char *columns_tell(struct decoder *decoder, struct trace_op *op)
{
    const char *fault = decoder->columns & TRACE_GAPS ? gap_take(decoder, op) : NULL;
    if (fault == NULL && decoder->columns & TRACE_SITES && op_is_call(op))
        fault = site_take(decoder, op);
    return fault;
}

/* How much was present of the block, which has `bytes`. */
static inline const char *present_take(struct decoder *decoder, struct trace_op *op, uint64_t bytes)
{
    if (!(decoder->columns & TRACE_PRESENT))
        return NULL;
    if (!varint_take(&decoder->column[COLUMN_PRESENT], &op->present) ||
        !present_is_possible(op, bytes))
        return "more bytes present than the block has";
    return NULL;
}

/* Frees or resizes the live block that op names, or fails to. */
static inline const char *op_change(struct trace_reader *reader, struct decoder *decoder,
                                    struct trace_op *op, unsigned shape)
{
    struct slots *slots = &reader->slots;
    uint64_t distance;
    if (!varint_take(&decoder->column[COLUMN_NAMES], &distance))
        return "impossible name of a block";
    uint64_t name = decoder->named = distance_unfold(decoder->named, distance);
    op->slot = slots_find(slots, name);
    if (op->slot == TRACE_NO_SLOT)
        return "names a block that is not live";
    struct live_block *block = &slots->blocks[op->slot];
    bool changes = shape & (SHAPE_FREES | SHAPE_RESIZES);
    bool handoff = changes && block->thread != op->thread;
    if (handoff != ((op->flags & TRACE_HANDOFF) != 0))
        return "hand-off flag is wrong";
    const char *fault = changes ? present_take(decoder, op, block->bytes) : NULL;
    if (fault != NULL)
        return fault;
    fault = tally_block(&reader->tally.totals, op, shape, block);
    if (op_takes_serial(op, shape)) {
        decoder->named = decoder->serial++;
        return slots_rename(slots, op->slot, name, decoder->named) ? fault : "out of memory";
    }
    if (changes)
        slots_free(slots, op->slot, name);
    return fault;
}

/* Takes the next operation from the columns and gives it its slot. */
static inline const char *op_take(struct trace_reader *reader, struct decoder *decoder,
                                  struct trace_op *op)
{
    unsigned mark;
    const char *fault = mark_take(decoder, &mark);
    if (fault == NULL && mark & MARK_THREAD)
        fault = thread_take(decoder);
    if (fault != NULL)
        return fault;
    mark %= MARKS;
    *op = (struct trace_op){
        .time_ns = decoder->ticks * FORMAT_TICK_NS,
        .slot = TRACE_NO_SLOT,
        .thread = decoder->thread,
        .kind = mark & MARK_KIND,
        .flags = (uint8_t)(mark >> MARK_FLAGS_SHIFT),
    };
    unsigned shape = op_shapes[mark];
    if (shape == 0)
        return mark_fault(op->kind, op->flags);
    if (shape & SHAPE_SIZE)
        fault = sizes_take(decoder, op, shape);
    if (fault == NULL)
        fault = tally_thread(&reader->tally, op);
    if (fault == NULL && decoder->columns != 0)
        fault = columns_tell(decoder, op);
    if (fault != NULL)
        return fault;
    reader->tally.marks[mark]++;
    if (shape & SHAPE_NAMES)
        return op_change(reader, decoder, op, shape);
    if (!(shape & SHAPE_MAKES))
        return NULL;
    op->slot = slots_make(&reader->slots, decoder->serial++);
    if (op->slot == TRACE_NO_SLOT)
        return "out of memory";
    return tally_block(&reader->tally.totals, op, shape, &reader->slots.blocks[op->slot]);
}

static bool columns_are_used_up(const struct decoder *decoder)
{
    bool used_up = decoder->gapless == 0;
    for (int i = 0; i < COLUMNS; i++)
        used_up = used_up && decoder->column[i].at == decoder->column[i].end;
    return used_up;
}

static bool block_take(struct trace_reader *reader, const struct block_header *header,
                       struct trace_op *ops)
{
    const unsigned char *raw = block_unpack(reader, header);
    if (raw == NULL)
        return false;
    struct decoder decoder = decoder_open(reader, header, raw);
    for (size_t i = 0; i < header->ops; i++) {
        struct trace_op op; /* a local one, which nothing that is stored can change */
        const char *fault = op_take(reader, &decoder, &op);
        ops[i] = op;
        if (fault != NULL)
            return reader_fail(reader, "block %zu: operation %zu: %s", reader->block, i, fault);
    }
    reader->serial = decoder.serial;
    reader->ticks = decoder.ticks;
    return columns_are_used_up(&decoder) || block_fail(reader, "its columns are too long");
}

static bool reader_end(struct trace_reader *reader)
{
    const struct trace_totals *counted = tally_sum(&reader->tally, reader->ticks);
    if (reader->serial != reader->final_serial ||
        memcmp(&reader->totals, counted, sizeof *counted) != 0)
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
    if (!block_read(reader, &header) || !block_take(reader, &header, ops))
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

unsigned trace_reader_columns(const struct trace_reader *reader)
{
    return reader->columns;
}

const struct sites *trace_reader_sites(const struct trace_reader *reader)
{
    return &reader->sites;
}

const char *trace_reader_error(const struct trace_reader *reader)
{
    return reader->error;
}

size_t trace_reader_mapped(const struct trace_reader *reader)
{
    return sizeof *reader + reader->trailer_bytes + PACKED_MAX + FORMAT_RAW_MAX +
           ZSTD_sizeof_DCtx(reader->zstd) + reader->tally.ended_words * sizeof(uint64_t) +
           slots_mapped(&reader->slots) + sites_mapped(&reader->sites);
}
