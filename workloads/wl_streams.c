/*
 * Reading a .wl file: the main block first, then any thread's code, each through a small buffer.
 */
#include "wl_streams.h"

#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STREAM_BYTES = 4096,      /* most that is read ahead of a thread ... */
    STREAM_BYTES_LEAST = 64,  /* ... and least, where there are many */
    STREAMS_BYTES = 64 << 20, /* what all threads together may read ahead */
};

const unsigned char wl_operands[WL_CODES] = {
    [WL_MALLOC] = 2,   [WL_CALLOC] = 2,         [WL_REALLOC] = 3,    [WL_FREE] = 1,
    [WL_SYNC_W] = 1,   [WL_SYNC_R] = 1,         [WL_ALLOC_PTRS] = 1, [WL_ALLOC_SYNCS] = 1,
    [WL_NTHREADS] = 1, [WL_START_THREAD] = 1,   [WL_MEMALIGN] = 3,   [WL_VALLOC] = 2,
    [WL_PVALLOC] = 2,  [WL_POSIX_MEMALIGN] = 3,
};

bool wl_fail(struct wl *wl, uint64_t byte, const char *what)
{
    return import_fail_at(wl->import, "byte", byte, what);
}

bool wl_stream_fail(struct wl *wl, const struct stream *stream, const char *what)
{
    return wl_fail(wl, stream->at, what);
}

/* Reads on, up to the stream's end. */
static bool stream_fill(struct wl *wl, struct stream *stream, unsigned char *buffer)
{
    uint64_t left = stream->end - stream->at;
    size_t wanted = left < wl->stream_bytes ? (size_t)left : wl->stream_bytes;
    if (wanted == 0)
        return wl_stream_fail(wl, stream, "code has no end");
    ssize_t got = pread(wl->fd, buffer, wanted, (off_t)stream->at);
    if (got <= 0)
        return wl_stream_fail(wl, stream, got < 0 ? strerror(errno) : "code has no end");
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
            return wl_stream_fail(wl, stream, "number is too large");
        *number = *number << 7 | (byte & 127);
    } while (byte & 128);
    return true;
}

bool wl_code_take(struct wl *wl, struct stream *stream, unsigned *code,
                  uint64_t numbers[WL_OPERANDS_MAX])
{
    if (!byte_take(wl, stream, code))
        return false;
    if (*code >= WL_CODES)
        return wl_stream_fail(wl, stream, "unknown code");
    for (unsigned i = 0; i < wl_operands[*code]; i++) {
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
        return wl_stream_fail(wl, &wl->streams[0], "a thread begins behind the file's end");
    if (wl->streams_used > TRACE_THREADS_MAX)
        return wl_stream_fail(wl, &wl->streams[0], "more threads than a trace can have");
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
        return wl_stream_fail(wl, &wl->streams[0], "the main block only counts and starts threads");
    }
}

bool wl_main_read(struct wl *wl)
{
    uint64_t numbers[WL_OPERANDS_MAX] = {0};
    unsigned code;
    if (!stream_add(wl, 0) || !buffers_open(wl))
        return false;
    for (;;) {
        if (!wl_code_take(wl, &wl->streams[0], &code, numbers))
            return false;
        if (code == WL_DONE)
            break;
        if (!main_code_add(wl, code, numbers[0]))
            return false;
    }
    wl->streams[0].done = true;
    if (!wl->counted)
        return wl_stream_fail(wl, &wl->streams[0], "the number of slots is missing");
    return streams_bound(wl) && buffers_open(wl);
}
