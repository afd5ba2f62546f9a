/*
 * glibc's malloc trace workloads (.wl): byte code for several threads (wl_codes.h). The order
 * between threads is in the file only where one waits for another; between these points they take
 * turns.
 */
#include "pages.h"
#include "plural.h"
#include "wl_streams.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    TURN_OPS = 64,  /* arbitrary: operations before the next thread's turn */
    SLOT_SHIFT = 5, /* the builder expects keys as far apart as addresses of blocks are */
};
#define SLOT_MAX ((UINT64_C(1) << (64 - SLOT_SHIFT)) - 2)

static void queue_put(struct wl *wl, uint32_t stream)
{
    wl->streams[stream].next = 0;
    if (wl->first == 0)
        wl->first = stream;
    else
        wl->streams[wl->last].next = stream;
    wl->last = stream;
}

/* Where streams that wait for this sync are filed. */
static uint32_t *sync_home(const struct wl *wl, uint64_t id)
{
    return &wl->waiting[(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) % wl->streams_used];
}

/* Whoever waits for this sync can run. */
static void sync_wake(struct wl *wl, uint64_t id)
{
    uint32_t *link = sync_home(wl, id);
    while (*link != 0) {
        uint32_t stream = *link;
        if (wl->streams[stream].waits_for == id + 1) {
            *link = wl->streams[stream].next;
            wl->streams[stream].waits_for = 0;
            queue_put(wl, stream);
        } else {
            link = &wl->streams[stream].next;
        }
    }
}

static bool sync_write(struct wl *wl, const struct stream *stream, uint64_t id)
{
    void *p = wl->synced;
    if (id > wl->syncs)
        return wl_stream_fail(wl, stream, "a sync that was not counted");
    if (id > wl->bytes) /* each takes two bytes at least: no dense numbers are that large */
        return wl_stream_fail(wl, stream, "a sync's number is too large");
    if (!pages_reserve(&p, &wl->synced_bytes, 1, id / 8 + 1))
        return wl_stream_fail(wl, stream, strerror(errno));
    wl->synced = p;
    wl->synced[id / 8] |= (unsigned char)(1 << id % 8);
    sync_wake(wl, id);
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
        return wl_stream_fail(wl, stream, "a slot that was not counted");
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
        return wl_stream_fail(wl, stream, fault);
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
    call.size = numbers[wl_operands[code] - 1];
    call.count = code == WL_CALLOC ? 1 : wl_operands[code] == 3 ? numbers[1] : 0;
    if (!slot_key(wl, stream, numbers[0], &call.result))
        return false;
    if (call.result == 0)
        return wl_stream_fail(wl, stream, "a block in slot 0, which is NULL");
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
        return wl_stream_fail(wl, stream, "a block in slot 0, which is NULL");
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
        if (!sync_is_written(wl, numbers[0]))
            stream->waits_for = numbers[0] + 1;
        return numbers[0] <= wl->syncs || wl_stream_fail(wl, stream, "a sync that was not counted");
    case WL_ALLOC_PTRS:
    case WL_ALLOC_SYNCS:
    case WL_NTHREADS:
    case WL_START_THREAD:
        return wl_stream_fail(wl, stream, "only the main block counts and starts threads");
    default:
        return code_makes(wl, stream, code, numbers);
    }
}

/* One thread's turn; behind it the thread is filed where it belongs. */
static bool turn_run(struct wl *wl, uint32_t number)
{
    struct stream *stream = &wl->streams[number];
    uint64_t numbers[WL_OPERANDS_MAX] = {0};
    unsigned code;
    for (int i = 0; i < TURN_OPS && !stream->done && stream->waits_for == 0; i++) {
        if (!wl_code_take(wl, stream, &code, numbers) || !code_run(wl, stream, code, numbers))
            return false;
    }
    if (stream->waits_for != 0) {
        uint32_t *home = sync_home(wl, stream->waits_for - 1);
        stream->next = *home;
        *home = number;
    } else if (!stream->done) {
        queue_put(wl, number);
    }
    return true;
}

/* All threads, until none can run. */
static bool threads_run(struct wl *wl)
{
    for (uint32_t i = 1; i < wl->streams_used; i++)
        queue_put(wl, i);
    while (wl->first != 0) {
        uint32_t number = wl->first;
        wl->first = wl->streams[number].next;
        if (!turn_run(wl, number))
            return false;
    }
    for (size_t i = 1; i < wl->streams_used; i++) {
        if (!wl->streams[i].done)
            return wl_stream_fail(wl, &wl->streams[i], "waits for a sync that never comes");
    }
    return true;
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
                    "the main block says %" PRIu64 " thread%s, it starts %zu", wl->threads,
                    plural(wl->threads), wl->streams_used - 1);
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
        for (size_t length = 1; wl_operands[code] > 0 && at < bytes; length++) {
            bool last = !(head[at++] & 128);
            if (last)
                break;
            if (length == 10)
                return false;
        }
    }
    return counted;
}

static bool wl_read(struct import *import)
{
    struct wl wl = {.import = import};
    size_t head_bytes;
    const char *head = input_head(import->in, &head_bytes);
    /* What cannot be a .wl is not copied beyond its fault: it may have no end. */
    uint64_t most = wl_sniff(head, head_bytes) ? UINT64_MAX : head_bytes;
    wl.fd = input_seekable(import->in, most, &wl.bytes);
    if (wl.fd < 0)
        return wl_fail(&wl, 0, input_fault(import->in));
    bool ok = wl_main_read(&wl);
    wl.waiting = ok ? pages_map(wl.streams_used * sizeof *wl.waiting) : NULL;
    if (ok && wl.waiting == NULL)
        ok = wl_fail(&wl, 0, strerror(errno));
    ok = ok && threads_run(&wl);
    if (ok)
        losses_note(&wl);
    pages_unmap(wl.streams, wl.streams_capacity * sizeof *wl.streams);
    pages_unmap(wl.buffers, wl.buffers_bytes);
    pages_unmap(wl.synced, wl.synced_bytes);
    pages_unmap(wl.waiting, wl.streams_used * sizeof *wl.waiting);
    return ok;
}

const struct import_format import_wl = {
    .name = "wl",
    .summary = "glibc's malloc trace workload .wl",
    .sniff = wl_sniff,
    .read = wl_read,
};
