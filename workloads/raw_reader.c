/*
 * Reads a raw recording, see raw_reader.h. The file is mapped; what is kept beside it is one entry
 * for each piece of a window and each thread.
 */
#include "raw_reader.h"
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Less time than this between the header's two pairs says little about the counter's frequency. */
enum { RAW_BASELINE_NS = 1000 * 1000 };

/* What one thread wrote into one window. Ends at a zero word, a THREAD_START record or `end`. */
struct piece {
    const uint64_t *at;
    const uint64_t *end;
    uint32_t thread;
    uint32_t sequence;
};

/* A thread's pieces: pieces[next] to pieces[last - 1] are still to be read. */
struct raw_stream {
    size_t next;
    size_t last;
    uint64_t stamp; /* of the last record */
};

struct raw_reader {
    const char *path;
    const char *bytes; /* the file, mapped as far as windows go */
    size_t size;
    struct raw_header header;
    unsigned char modules[RAW_UNIT - RAW_MODULES_AT];
    size_t module_bytes; /* of them that were read */
    double ns_per_stamp;
    struct piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    struct raw_stream *streams;
    size_t stream_count;
    size_t stream_capacity;
    char error[TRACE_ERROR_MAX];
};

/* Words after word 1, without that of a long size. */
static const uint8_t more_words[TRACE_KINDS] = {
    [TRACE_CALLOC] = 1,   [TRACE_REALLOC] = 2,        [TRACE_ALIGNED_ALLOC] = 1,
    [TRACE_MEMALIGN] = 1, [TRACE_POSIX_MEMALIGN] = 1, [TRACE_THREAD_START] = 1,
};

static bool fail(struct raw_reader *reader, const char *what)
{
    snprintf(reader->error, sizeof reader->error, "%s: %s", reader->path, what);
    return false;
}

static bool fail_at(struct raw_reader *reader, const void *where, const char *what)
{
    snprintf(reader->error, sizeof reader->error, "%s: byte %zu: %s", reader->path,
             (size_t)((const char *)where - reader->bytes), what);
    return false;
}

static unsigned record_kind(uint64_t word0)
{
    return (unsigned)(word0 & ((1 << RAW_KIND_BITS) - 1)) - 1;
}

/* Words of the record at `at`, which is before `end`; 0 if it makes no sense. */
static inline size_t record_words(const uint64_t *at, const uint64_t *end)
{
    unsigned kind = record_kind(at[0]);
    unsigned flags = at[0] & ((1 << RAW_STAMP_SHIFT) - (1 << RAW_KIND_BITS));
    bool is_long = flags & RAW_LONG, is_sited = flags & RAW_SITED;
    if (kind >= TRACE_KINDS || (flags & ~(unsigned)(RAW_LONG | RAW_SITED)) != 0)
        return 0;
    size_t words = 2u + more_words[kind] + is_long + is_sited;
    if ((size_t)(end - at) < words || is_long != (at[1] >> RAW_SIZE_SHIFT == RAW_SIZE_LONG))
        return 0;
    if (!is_sited)
        return words;
    uint64_t frames = at[words - 1] >> RAW_SIZE_SHIFT;
    return frames < RAW_DEPTH_MAX && (size_t)(end - at) - words >= frames ? words + frames : 0;
}

static bool piece_add(struct raw_reader *reader, struct piece piece)
{
    void *pieces = reader->pieces;
    if (!pages_reserve(&pieces, &reader->piece_capacity, sizeof piece, reader->piece_count + 1))
        return fail(reader, strerror(errno));
    reader->pieces = pieces;
    reader->pieces[reader->piece_count++] = piece;
    return true;
}

/* Adds the pieces of a window that went through several hands, the first one excepted. */
static bool pieces_find(struct raw_reader *reader, const uint64_t *at, const uint64_t *end)
{
    while (at < end && __atomic_load_n(at, __ATOMIC_ACQUIRE) != 0) {
        size_t words = record_words(at, end);
        if (words == 0)
            return fail_at(reader, at, "damaged record");
        if (record_kind(at[0]) == TRACE_THREAD_START) {
            struct piece piece = {at + words, end, (uint32_t)at[1], (uint32_t)at[2]};
            if (!piece_add(reader, piece))
                return false;
        }
        at += words;
    }
    return true;
}

/* The window at `offset`, if there is one: a unit may be a hole. To look at a hole through the
   mapping takes a page of the disk (tmpfs), and on a full one raises SIGBUS. */
static bool window_read(struct raw_reader *reader, int fd, size_t offset)
{
    struct raw_window window;
    const char *start = reader->bytes + offset;
    if (pread(fd, &window, sizeof window, (off_t)offset) != (ssize_t)sizeof window)
        return fail_at(reader, start, "cannot be read");
    if (window.magic == 0)
        return true;
    if (window.magic != RAW_WINDOW_MAGIC || window.bytes < sizeof window ||
        window.bytes > RAW_UNIT || window.bytes % sizeof(uint64_t) != 0)
        return fail_at(reader, start, "damaged window");
    if (window.bytes > reader->size - offset)
        return fail_at(reader, start, "window is cut");
    const uint64_t *first = (const uint64_t *)(start + sizeof window);
    const uint64_t *end = (const uint64_t *)(start + window.bytes);
    struct piece piece = {first, end, window.thread, window.sequence};
    return piece_add(reader, piece) && (!window.handed_on || pieces_find(reader, first, end));
}

static bool windows_read(struct raw_reader *reader, int fd)
{
    for (size_t offset = RAW_UNIT; offset + sizeof(struct raw_window) <= reader->size;
         offset += RAW_UNIT)
        if (!window_read(reader, fd, offset))
            return false;
    return true;
}

static int piece_compare(const void *left, const void *right)
{
    const struct piece *a = left;
    const struct piece *b = right;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static bool stream_add(struct raw_reader *reader, size_t first, size_t last)
{
    void *streams = reader->streams;
    for (size_t i = first; i < last; i++)
        if (reader->pieces[i].sequence != i - first)
            return fail(reader, "a window is missing or there twice");
    if (!pages_reserve(&streams, &reader->stream_capacity, sizeof *reader->streams,
                       reader->stream_count + 1))
        return fail(reader, strerror(errno));
    reader->streams = streams;
    reader->streams[reader->stream_count++] = (struct raw_stream){.next = first, .last = last};
    return true;
}

static bool streams_find(struct raw_reader *reader)
{
    size_t first = 0;
    if (reader->piece_count > 0)
        qsort(reader->pieces, reader->piece_count, sizeof *reader->pieces, piece_compare);
    for (size_t i = 1; i <= reader->piece_count; i++) {
        if (i < reader->piece_count && reader->pieces[i].thread == reader->pieces[first].thread)
            continue;
        if (!stream_add(reader, first, i))
            return false;
        first = i;
    }
    return true;
}

static bool header_check(struct raw_reader *reader)
{
    struct raw_header *header = &reader->header;
    if (header->magic != RAW_MAGIC)
        return fail(reader, "not a raw recording");
    if (header->version != RAW_VERSION)
        return fail(reader, "raw recording of another version");
    if (header->text_bytes >= RAW_TEXT_MAX)
        return fail(reader, "damaged header");
    header->text[header->text_bytes] = '\0';
    return true;
}

/*
 * A process that was killed early leaves two pairs that are too close. A raw file does not leave
 * the machine, so the counter's frequency can be measured here as well.
 */
static double measure_ns_per_stamp(void)
{
    uint64_t start_ns = raw_clock_ns();
    uint64_t start = raw_stamp();
    uint64_t ns;
    do
        ns = raw_clock_ns() - start_ns;
    while (ns < RAW_BASELINE_NS);
    return (double)ns / (double)(raw_stamp() - start);
}

static double header_ns_per_stamp(const struct raw_header *header)
{
    uint64_t ns = header->last_ns - header->start_ns;
    uint64_t stamps = header->last_stamp - header->start_stamp;
    if (header->last_ns <= header->start_ns || header->last_stamp <= header->start_stamp ||
        ns < RAW_BASELINE_NS)
        return measure_ns_per_stamp();
    return (double)ns / (double)stamps;
}

/* Of a regular file; its size says only how far the recorder could have gone. */
static bool header_read(struct raw_reader *reader, int fd, size_t file_bytes)
{
    ssize_t bytes = pread(fd, &reader->header, sizeof reader->header, 0);
    if (bytes < 0)
        return fail(reader, strerror(errno));
    if (bytes != (ssize_t)sizeof reader->header)
        return fail(reader, "not a raw recording");
    bytes = pread(fd, reader->modules, sizeof reader->modules, RAW_MODULES_AT);
    reader->module_bytes = bytes > 0 ? (size_t)bytes : 0;
    uint64_t end = reader->header.end;
    reader->size = end < file_bytes ? (size_t)end : file_bytes;
    return header_check(reader);
}

static bool windows_map(struct raw_reader *reader, int fd)
{
    if (reader->size == 0)
        return fail(reader, "damaged header");
    void *p = mmap(NULL, reader->size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return fail(reader, strerror(errno));
    reader->bytes = p;
    madvise(p, reader->size, MADV_SEQUENTIAL);
    return true;
}

static bool file_read(struct raw_reader *reader)
{
    struct stat status;
    int fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(reader, strerror(errno));
    bool opened = false;
    if (fstat(fd, &status) != 0)
        fail(reader, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        fail(reader, "not a raw recording");
    else
        opened = header_read(reader, fd, (size_t)status.st_size) && windows_map(reader, fd) &&
                 windows_read(reader, fd);
    close(fd);
    return opened;
}

struct raw_reader *raw_reader_open(const char *path, char error[TRACE_ERROR_MAX])
{
    struct raw_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%s: %s", path, strerror(errno));
        return NULL;
    }
    reader->path = path;
    if (!file_read(reader) || !streams_find(reader)) {
        memcpy(error, reader->error, TRACE_ERROR_MAX);
        raw_reader_close(reader);
        return NULL;
    }
    reader->ns_per_stamp = header_ns_per_stamp(&reader->header);
    return reader;
}

void raw_reader_close(struct raw_reader *reader)
{
    if (reader->bytes != NULL)
        munmap((void *)(uintptr_t)reader->bytes, reader->size);
    if (reader->pieces != NULL)
        pages_unmap(reader->pieces, reader->piece_capacity * sizeof *reader->pieces);
    if (reader->streams != NULL)
        pages_unmap(reader->streams, reader->stream_capacity * sizeof *reader->streams);
    free(reader);
}

const struct raw_header *raw_reader_header(const struct raw_reader *reader)
{
    return &reader->header;
}

uint64_t raw_reader_ns(const struct raw_reader *reader, uint64_t stamp)
{
    static const double most = 9e18; /* a damaged stamp must not overflow */
    if (stamp <= reader->header.start_stamp)
        return 0;
    double ns = (double)(stamp - reader->header.start_stamp) * reader->ns_per_stamp;
    return ns < most ? (uint64_t)ns : (uint64_t)most;
}

bool raw_reader_has_sites(const struct raw_reader *reader)
{
    return reader->header.module_bytes > 0;
}

bool raw_reader_module(const struct raw_reader *reader, size_t *at, struct raw_place *place)
{
    struct raw_module module;
    size_t end = reader->module_bytes;
    size_t from = *at;
    if (!raw_reader_has_sites(reader) || from > end || end - from < sizeof module)
        return false;
    memcpy(&module, reader->modules + from, sizeof module);
    from += sizeof module;
    if (module.stamp == 0 || module.id_bytes > RAW_ID_MAX || module.path_bytes >= RAW_PATH_MAX ||
        end - from < module.id_bytes + module.path_bytes)
        return false;
    *place = (struct raw_place){.stamp = module.stamp,
                                .start = module.start,
                                .bytes = module.bytes,
                                .address = module.address,
                                .id = reader->modules + from,
                                .id_bytes = module.id_bytes};
    memcpy(place->path, reader->modules + from + module.id_bytes, module.path_bytes);
    from += module.id_bytes + module.path_bytes;
    *at = (from + 7) / 8 * 8;
    return true;
}

size_t raw_reader_streams(const struct raw_reader *reader)
{
    return reader->stream_count;
}

const char *raw_reader_error(const struct raw_reader *reader)
{
    return reader->error;
}

/* The piece with the stream's next record; NULL at the end. */
static inline struct piece *stream_piece(struct raw_reader *reader, struct raw_stream *stream)
{
    for (; stream->next < stream->last; stream->next++) {
        struct piece *piece = &reader->pieces[stream->next];
        if (piece->at >= piece->end)
            continue;
        uint64_t word0 = __atomic_load_n(piece->at, __ATOMIC_ACQUIRE);
        if (word0 != 0 && record_kind(word0) != TRACE_THREAD_START)
            return piece;
    }
    return NULL;
}

/* The full stamp, from its low 56 bits: recordings last less than 2^56 of them. */
static uint64_t stamp_expand(const struct raw_reader *reader, uint64_t word0)
{
    uint64_t start = reader->header.start_stamp;
    uint64_t low = word0 >> RAW_STAMP_SHIFT;
    return start + ((low - start) & (UINT64_MAX >> RAW_STAMP_SHIFT));
}

/* realloc(p, 0) that returned nothing has freed p, as a free does: some time after `before`. */
static bool call_is_free(const struct call *call)
{
    return call->kind == TRACE_REALLOC && call->result == 0 && call->size == 0 && call->old != 0;
}

/* `at` is behind what every recording has of a call. */
static void frames_decode(const uint64_t *at, struct raw_call *raw)
{
    raw->depth = 1 + (unsigned)(at[0] >> RAW_SIZE_SHIFT);
    raw->frames[0] = at[0] & RAW_ADDRESS_MASK;
    for (unsigned i = 1; i < raw->depth; i++)
        raw->frames[i] = at[i];
}

static void call_decode(const struct raw_reader *reader, const uint64_t *at, struct raw_call *raw)
{
    struct call *call = &raw->call;
    uint64_t address = at[1] & RAW_ADDRESS_MASK;
    *call = (struct call){.kind = record_kind(at[0]), .size = at[1] >> RAW_SIZE_SHIFT};
    unsigned more = more_words[call->kind];
    if (at[0] & RAW_SITED)
        frames_decode(at + 2 + more + (call->size == RAW_SIZE_LONG), raw);
    else
        raw->depth = 0;
    if (call->size == RAW_SIZE_LONG)
        call->size = at[2 + more];
    raw->stamp = raw->before = stamp_expand(reader, at[0]);
    if (call->kind == TRACE_FREE)
        call->old = address;
    else
        call->result = address;
    if (call->kind == TRACE_REALLOC) {
        call->old = at[2];
        raw->before = at[3] < raw->stamp ? at[3] : raw->stamp;
    } else if (more > 0)
        call->count = at[2];
    if (call_is_free(call))
        raw->stamp = raw->before;
}

static bool stream_read(struct raw_reader *reader, struct raw_stream *stream, struct piece *piece,
                        struct raw_call *raw)
{
    size_t words = record_words(piece->at, piece->end);
    if (words == 0)
        return fail_at(reader, piece->at, "damaged record");
    call_decode(reader, piece->at, raw);
    raw->call.thread = piece->thread;
    if (raw->stamp < stream->stamp)
        raw->stamp = stream->stamp;
    stream->stamp = raw->stamp;
    piece->at += words;
    return true;
}

bool raw_reader_next(struct raw_reader *reader, size_t index, struct raw_call *call, bool *more)
{
    struct raw_stream *stream = &reader->streams[index];
    struct piece *piece;
    while ((piece = stream_piece(reader, stream)) != NULL) {
        if (!stream_read(reader, stream, piece, call))
            return false;
        /* A thread that still called after it seemed to end has another end. */
        if (call->call.kind != TRACE_THREAD_END || stream_piece(reader, stream) == NULL)
            break;
    }
    *more = piece != NULL;
    return true;
}
