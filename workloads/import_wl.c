/*
 * glibc's malloc trace workloads (.wl): byte code for several threads (wl_codes.h). The order
 * between threads is in the file only where one waits for another; between these points they take
 * turns.
 */
#include "import.h"
#include "pages.h"
#include "wl_codes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TURN_OPS = 64,            /* arbitrary: operations before the next thread's turn */
    SLOT_SHIFT = 5,           /* the builder expects keys as far apart as addresses of blocks are */
    STREAM_BYTES = 4096,      /* most that is read ahead of a thread ... */
    STREAM_BYTES_LEAST = 64,  /* ... and least, where there are many */
    STREAMS_BYTES = 64 << 20, /* what all threads together may read ahead */
    OPERANDS_MAX = 3,
};
#define SLOT_MAX ((UINT64_C(1) << (64 - SLOT_SHIFT)) - 2)

static const unsigned char operands[WL_CODES] = {
    [WL_MALLOC] = 2,   [WL_CALLOC] = 2,         [WL_REALLOC] = 3,    [WL_FREE] = 1,
    [WL_SYNC_W] = 1,   [WL_SYNC_R] = 1,         [WL_ALLOC_PTRS] = 1, [WL_ALLOC_SYNCS] = 1,
    [WL_NTHREADS] = 1, [WL_START_THREAD] = 1,   [WL_MEMALIGN] = 3,   [WL_VALLOC] = 2,
    [WL_PVALLOC] = 2,  [WL_POSIX_MEMALIGN] = 3,
};

/* The code of one thread, or the main block. */
struct stream {
    uint64_t start, end;  /* in the file; another one begins at `end`, or the file ends */
    uint64_t at;          /* of what is read next */
    uint64_t waits_for;   /* a sync's id plus 1; 0: none */
    uint32_t ready, used; /* bytes in its buffer, and of these, used */
    bool done;
};

struct wl {
    struct import *import;
    int fd;
    uint64_t bytes; /* of the file */
    bool counted;   /* there was a WL_ALLOC_PTRS */
    uint64_t slots, syncs, threads;
    struct stream *streams; /* [0] is the main block */
    size_t streams_used, streams_capacity;
    unsigned char *buffers; /* stream_bytes each */
    size_t buffers_bytes, stream_bytes;
    unsigned char *synced; /* a bit for each id that was written */
    size_t synced_bytes;
};

static bool wl_fail(struct wl *wl, uint64_t byte, const char *what)
{
    return import_fail_at(wl->import, "byte", byte, what);
}

static bool stream_fail(struct wl *wl, const struct stream *stream, const char *what)
{
    return wl_fail(wl, stream->at, what);
}

/* Reads on, up to the stream's end. */
static bool stream_fill(struct wl *wl, struct stream *stream, unsigned char *buffer)
{
    uint64_t left = stream->end - stream->at;
    size_t wanted = left < wl->stream_bytes ? (size_t)left : wl->stream_bytes;
    if (wanted == 0)
        return stream_fail(wl, stream, "code has no end");
    ssize_t got = pread(wl->fd, buffer, wanted, (off_t)stream->at);
    if (got <= 0)
        return stream_fail(wl, stream, got < 0 ? strerror(errno) : "code has no end");
    stream->ready = (uint32_t)got;
    stream->used = 0;
    return true;
}

static bool byte_take(struct wl *wl, struct stream *stream, unsigned *byte)
{
    unsigned char *buffer = wl->buffers + (size_t)(stream - wl->streams) * wl->stream_bytes;
    if (stream->used == stream->ready && !stream_fill(wl, stream, buffer))
        return false;
    *byte = buffer[stream->used++];
    stream->at++;
    return true;
}

static bool number_take(struct wl *wl, struct stream *stream, uint64_t *number)
{
    unsigned byte;
    *number = 0;
    do {
        if (!byte_take(wl, stream, &byte))
            return false;
        if (*number >> 57)
            return stream_fail(wl, stream, "number is too large");
        *number = *number << 7 | (byte & 127);
    } while (byte & 128);
    return true;
}

/* The next code with its operands. */
static bool code_take(struct wl *wl, struct stream *stream, unsigned *code,
                      uint64_t numbers[OPERANDS_MAX])
{
    if (!byte_take(wl, stream, code))
        return false;
    if (*code >= WL_CODES)
        return stream_fail(wl, stream, "unknown code");
    for (unsigned i = 0; i < operands[*code]; i++) {
        if (!number_take(wl, stream, &numbers[i]))
            return false;
    }
    return true;
}

/* Room for one stream more; what stands in the buffers is not needed any more. */
static bool stream_add(struct wl *wl, uint64_t start)
{
    void *p = wl->streams;
    if (!pages_reserve(&p, &wl->streams_capacity, sizeof *wl->streams, wl->streams_used + 1))
        return import_fail_at(wl->import, "byte", start, strerror(errno));
    wl->streams = p;
    wl->streams[wl->streams_used++] =
        (struct stream){.start = start, .at = start, .end = wl->bytes};
    return true;
}

static bool buffers_open(struct wl *wl)
{
    pages_unmap(wl->buffers, wl->buffers_bytes);
    wl->stream_bytes = STREAMS_BYTES / wl->streams_used;
    if (wl->stream_bytes > STREAM_BYTES)
        wl->stream_bytes = STREAM_BYTES;
    if (wl->stream_bytes < STREAM_BYTES_LEAST)
        wl->stream_bytes = STREAM_BYTES_LEAST;
    wl->buffers_bytes = wl->streams_used * wl->stream_bytes;
    wl->buffers = pages_map(wl->buffers_bytes);
    return wl->buffers != NULL || wl_fail(wl, 0, strerror(errno));
}

static int start_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* No code is part of two streams: what is read in all is no more than the file. */
static bool streams_bound(struct wl *wl)
{
    size_t n = wl->streams_used;
    uint64_t *starts = pages_map(n * sizeof *starts);
    if (starts == NULL)
        return wl_fail(wl, 0, strerror(errno));
    for (size_t i = 0; i < n; i++)
        starts[i] = wl->streams[i].start;
    qsort(starts, n, sizeof *starts, start_compare);
    bool ok = true;
    for (size_t i = 1; i < n && ok; i++) {
        ok = starts[i] != starts[i - 1] && starts[i] >= wl->streams[0].at;
        if (!ok)
            wl_fail(wl, starts[i], "a thread begins where other code stands");
    }
    for (size_t i = 0; i < n && ok; i++) {
        uint64_t *own = bsearch(&wl->streams[i].start, starts, n, sizeof *starts, start_compare);
        wl->streams[i].end = own + 1 < starts + n ? own[1] : wl->bytes;
    }
    pages_unmap(starts, n * sizeof *starts);
    return ok;
}

static bool thread_add(struct wl *wl, uint64_t start)
{
    if (start >= wl->bytes)
        return stream_fail(wl, &wl->streams[0], "a thread begins behind the file's end");
    if (wl->streams_used > TRACE_THREADS_MAX)
        return stream_fail(wl, &wl->streams[0], "more threads than a trace can have");
    return stream_add(wl, start);
}

/* One of the main block: counts and starts. */
static bool main_code_add(struct wl *wl, unsigned code, uint64_t number)
{
    switch (code) {
    case WL_NOP:
        return true;
    case WL_ALLOC_PTRS:
        wl->counted = true;
        wl->slots = number;
        return true;
    case WL_ALLOC_SYNCS:
        wl->syncs = number;
        return true;
    case WL_NTHREADS:
        wl->threads = number;
        return true;
    case WL_START_THREAD:
        return thread_add(wl, number);
    default:
        return stream_fail(wl, &wl->streams[0], "the main block only counts and starts threads");
    }
}

static bool main_read(struct wl *wl)
{
    uint64_t numbers[OPERANDS_MAX] = {0};
    unsigned code;
    if (!stream_add(wl, 0) || !buffers_open(wl))
        return false;
    for (;;) {
        if (!code_take(wl, &wl->streams[0], &code, numbers))
            return false;
        if (code == WL_DONE)
            break;
        if (!main_code_add(wl, code, numbers[0]))
            return false;
    }
    wl->streams[0].done = true;
    if (!wl->counted)
        return stream_fail(wl, &wl->streams[0], "the number of slots is missing");
    return streams_bound(wl) && buffers_open(wl);
}

static bool sync_write(struct wl *wl, const struct stream *stream, uint64_t id)
{
    void *p = wl->synced;
    if (id > wl->syncs)
        return stream_fail(wl, stream, "a sync that was not counted");
    if (id > wl->bytes) /* each takes two bytes at least: no dense numbers are that large */
        return stream_fail(wl, stream, "a sync's number is too large");
    if (!pages_reserve(&p, &wl->synced_bytes, 1, id / 8 + 1))
        return stream_fail(wl, stream, strerror(errno));
    wl->synced = p;
    wl->synced[id / 8] |= (unsigned char)(1 << id % 8);
    return true;
}

static bool sync_is_written(const struct wl *wl, uint64_t id)
{
    return id / 8 < wl->synced_bytes && wl->synced[id / 8] >> id % 8 & 1;
}

/* Of slot 0, which is NULL, the key is 0. */
static bool slot_key(struct wl *wl, const struct stream *stream, uint64_t slot, uint64_t *key)
{
    if (slot > wl->slots || slot > SLOT_MAX)
        return stream_fail(wl, stream, "a slot that was not counted");
    *key = slot << SLOT_SHIFT;
    return true;
}

/* A block that lives in the slot is freed before another one is made there. */
static bool slot_clear(struct wl *wl, uint64_t thread, uint64_t key)
{
    struct call call = {.kind = TRACE_FREE, .thread = thread, .old = key};
    uint64_t bytes;
    return !builder_find(wl->import->builder, key, &bytes) ||
           builder_add(wl->import->builder, &call);
}

static bool call_add(struct wl *wl, const struct stream *stream, const struct call *call)
{
    const char *fault = import_call_fault(call);
    if (fault != NULL)
        return stream_fail(wl, stream, fault);
    return builder_add(wl->import->builder, call);
}

static bool code_makes(struct wl *wl, const struct stream *stream, unsigned code,
                       const uint64_t *numbers)
{
    static const enum trace_kind kinds[WL_CODES] = {
        [WL_MALLOC] = TRACE_MALLOC,     [WL_CALLOC] = TRACE_CALLOC,
        [WL_MEMALIGN] = TRACE_MEMALIGN, [WL_VALLOC] = TRACE_VALLOC,
        [WL_PVALLOC] = TRACE_PVALLOC,   [WL_POSIX_MEMALIGN] = TRACE_POSIX_MEMALIGN,
    };
    struct call call = {.kind = kinds[code], .thread = (uint64_t)(stream - wl->streams)};
    call.size = numbers[operands[code] - 1];
    call.count = code == WL_CALLOC ? 1 : operands[code] == 3 ? numbers[1] : 0;
    if (!slot_key(wl, stream, numbers[0], &call.result))
        return false;
    if (call.result == 0)
        return stream_fail(wl, stream, "a block in slot 0, which is NULL");
    return slot_clear(wl, call.thread, call.result) && call_add(wl, stream, &call);
}

static bool code_resizes(struct wl *wl, const struct stream *stream, const uint64_t *numbers)
{
    struct call call = {
        .kind = TRACE_REALLOC, .thread = (uint64_t)(stream - wl->streams), .size = numbers[2]};
    uint64_t bytes, key = 0;
    if (!slot_key(wl, stream, numbers[0], &key) || !slot_key(wl, stream, numbers[1], &call.old))
        return false;
    if (!builder_find(wl->import->builder, call.old, &bytes))
        call.old = 0; /* an empty slot is NULL */
    if (call.size > 0 || call.old == 0)
        call.result = key;
    if (call.result == 0 && call.size > 0)
        return stream_fail(wl, stream, "a block in slot 0, which is NULL");
    if (call.result != call.old && call.result != 0 && !slot_clear(wl, call.thread, call.result))
        return false;
    return call_add(wl, stream, &call);
}

/* A free of an empty slot is one of NULL. */
static bool code_frees(struct wl *wl, const struct stream *stream, uint64_t slot)
{
    struct call call = {.kind = TRACE_FREE, .thread = (uint64_t)(stream - wl->streams)};
    uint64_t bytes;
    if (!slot_key(wl, stream, slot, &call.old))
        return false;
    if (!builder_find(wl->import->builder, call.old, &bytes))
        call.old = 0;
    return call_add(wl, stream, &call);
}

static bool code_run(struct wl *wl, struct stream *stream, unsigned code, const uint64_t *numbers)
{
    struct call call = {.kind = TRACE_THREAD_END, .thread = (uint64_t)(stream - wl->streams)};
    switch (code) {
    case WL_NOP:
        return true;
    case WL_DONE:
        stream->done = true;
        return call_add(wl, stream, &call);
    case WL_FREE:
        return code_frees(wl, stream, numbers[0]);
    case WL_REALLOC:
        return code_resizes(wl, stream, numbers);
    case WL_SYNC_W:
        return sync_write(wl, stream, numbers[0]);
    case WL_SYNC_R:
        stream->waits_for = numbers[0] + 1;
        return numbers[0] <= wl->syncs || stream_fail(wl, stream, "a sync that was not counted");
    case WL_ALLOC_PTRS:
    case WL_ALLOC_SYNCS:
    case WL_NTHREADS:
    case WL_START_THREAD:
        return stream_fail(wl, stream, "only the main block counts and starts threads");
    default:
        return code_makes(wl, stream, code, numbers);
    }
}

/* One thread's turn; *moved if it did anything. */
static bool turn_run(struct wl *wl, struct stream *stream, bool *moved)
{
    uint64_t numbers[OPERANDS_MAX] = {0};
    unsigned code;
    for (int i = 0; i < TURN_OPS && !stream->done; i++) {
        if (stream->waits_for != 0 && !sync_is_written(wl, stream->waits_for - 1))
            return true;
        stream->waits_for = 0;
        *moved = true;
        if (!code_take(wl, stream, &code, numbers) || !code_run(wl, stream, code, numbers))
            return false;
    }
    return true;
}

/* All threads, until none is left. */
static bool threads_run(struct wl *wl)
{
    for (;;) {
        struct stream *waiting = NULL;
        bool moved = false;
        for (size_t i = 1; i < wl->streams_used; i++) {
            struct stream *stream = &wl->streams[i];
            if (stream->done)
                continue;
            if (!turn_run(wl, stream, &moved))
                return false;
            if (!stream->done)
                waiting = stream;
        }
        if (waiting == NULL)
            return true;
        if (!moved)
            return stream_fail(wl, waiting, "waits for a sync that never comes");
    }
}

static void losses_note(const struct wl *wl)
{
    struct import *import = wl->import;
    import_lose(import, "lost_time", "the format has no times");
    import_lose(import, "lost_calloc", "a calloc is one element");
    if (wl->streams_used > 2)
        import_lose(import, "lost_order", "threads take turns where none waits for another");
    if (wl->threads != wl->streams_used - 1)
        import_lose(import, "header_threads",
                    "the main block says %" PRIu64 " threads, it starts %zu", wl->threads,
                    wl->streams_used - 1);
}

static bool wl_read(struct import *import)
{
    struct wl wl = {.import = import};
    wl.fd = input_seekable(import->in, &wl.bytes);
    if (wl.fd < 0)
        return wl_fail(&wl, 0, input_fault(import->in));
    bool ok = main_read(&wl) && threads_run(&wl);
    if (ok)
        losses_note(&wl);
    pages_unmap(wl.streams, wl.streams_capacity * sizeof *wl.streams);
    pages_unmap(wl.buffers, wl.buffers_bytes);
    pages_unmap(wl.synced, wl.synced_bytes);
    return ok;
}

/* There is no magic: the main block must be one as far as the head goes. */
static bool wl_sniff(const char *head, size_t bytes)
{
    bool counted = false;
    for (size_t at = 0; at < bytes;) {
        unsigned char code = (unsigned char)head[at++];
        if (code == WL_DONE)
            return counted;
        if (code != WL_NOP && (code < WL_ALLOC_PTRS || code > WL_START_THREAD))
            return false;
        counted |= code == WL_ALLOC_PTRS;
        for (size_t length = 1; operands[code] > 0 && at < bytes; length++) {
            bool last = !(head[at++] & 128);
            if (last)
                break;
            if (length == 10)
                return false;
        }
    }
    return counted;
}

const struct import_format import_wl = {
    .name = "wl",
    .summary = "glibc's malloc trace workload .wl",
    .sniff = wl_sniff,
    .read = wl_read,
};
