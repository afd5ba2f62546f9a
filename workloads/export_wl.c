/*
 * A malloc trace workload (.wl) of glibc: the byte code of each thread behind each other
 * (wl_codes.h). Two readings of the trace: the first measures each thread's code, the second writes
 * it to its place. Where a thread frees or resizes another one's block, it waits for what that
 * thread has done so far. A slot is used again only by the thread that freed it, which needs no
 * waiting.
 */
#include "export.h"
#include "pages.h"
#include "wl_codes.h"

#include <errno.h>
#include <unistd.h>

enum {
    NUMBER_BYTES = 10, /* most of one; in the main block all have as many */
    CODE_BYTES = 1 + 3 * NUMBER_BYTES,
    STREAM_BYTES = 256, /* arbitrary: of a thread's code that are written at once */
};

/* The code of one thread. */
struct stream {
    uint64_t bytes;   /* so far */
    uint64_t start;   /* in the file */
    uint64_t free;    /* the slot that it freed last, see `next`; 0: none */
    uint32_t waiting; /* bytes in its buffer */
};

struct block {
    uint64_t slot;   /* in the file */
    uint32_t thread; /* that made or last resized it */
};

struct wl {
    struct export *export;
    bool writing; /* the second reading */
    uint64_t slots, syncs;
    struct stream *streams;
    unsigned char *buffers; /* STREAM_BYTES for each stream */
    size_t threads;
    struct block *blocks; /* by the trace's slot */
    size_t blocks_capacity;
    uint64_t *next; /* by the file's slot, of those that are free: the one freed before */
    size_t next_capacity;
};

static size_t number_put(unsigned char *at, uint64_t number)
{
    size_t n = 1;
    for (uint64_t rest = number >> 7; rest != 0; rest >>= 7)
        n++;
    for (size_t i = n; i-- > 0; number >>= 7)
        at[i] = (unsigned char)((number & 127) | (i + 1 < n ? 128 : 0));
    return n;
}

/* Of fixed length: bytes of zeros stand before. */
static void number_put_fixed(unsigned char at[NUMBER_BYTES], uint64_t number)
{
    for (size_t i = NUMBER_BYTES; i-- > 0; number >>= 7)
        at[i] = (unsigned char)((number & 127) | (i + 1 < NUMBER_BYTES ? 128 : 0));
}

static bool bytes_write(struct wl *wl, const unsigned char *bytes, size_t n, uint64_t offset)
{
    while (n > 0) {
        ssize_t done = pwrite(fileno(wl->export->out), bytes, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            wl->export->write_errno = errno;
            return export_fail_errno(wl->export);
        }
        bytes += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return true;
}

static bool stream_flush(struct wl *wl, struct stream *stream)
{
    unsigned char *buffer = wl->buffers + (size_t)(stream - wl->streams) * STREAM_BYTES;
    uint32_t n = stream->waiting;
    stream->waiting = 0;
    return bytes_write(wl, buffer, n, stream->start + stream->bytes - n);
}

/* The code and `n` operands. In the first reading they are only counted. */
static bool code_put(struct wl *wl, uint32_t thread, enum wl_code code, int n,
                     const uint64_t *numbers)
{
    struct stream *stream = &wl->streams[thread];
    unsigned char bytes[CODE_BYTES] = {(unsigned char)code};
    size_t length = 1;
    for (int i = 0; i < n; i++)
        length += number_put(bytes + length, numbers[i]);
    if (wl->writing) {
        if (stream->waiting + length > STREAM_BYTES && !stream_flush(wl, stream))
            return false;
        unsigned char *buffer = wl->buffers + (size_t)thread * STREAM_BYTES;
        for (size_t i = 0; i < length; i++)
            buffer[stream->waiting++] = bytes[i];
    }
    stream->bytes += length;
    return true;
}

/* 0, and an error, when memory is out. */
static uint64_t slot_give(struct wl *wl, struct stream *stream)
{
    uint64_t slot = stream->free;
    void *p = wl->next;
    if (slot != 0) {
        stream->free = wl->next[slot];
        return slot;
    }
    if (!pages_reserve(&p, &wl->next_capacity, sizeof *wl->next, wl->slots + 2)) {
        export_fail_errno(wl->export);
        return 0;
    }
    wl->next = p;
    return ++wl->slots;
}

/* The block of the trace's slot; what it holds is not set yet if op makes it. */
static struct block *block_find(struct wl *wl, const struct trace_op *op)
{
    void *p = wl->blocks;
    if (!pages_reserve(&p, &wl->blocks_capacity, sizeof *wl->blocks, (size_t)op->slot + 1)) {
        export_fail_errno(wl->export);
        return NULL;
    }
    wl->blocks = p;
    return &wl->blocks[op->slot];
}

/* The thread waits for all that the block's thread has done so far. */
static bool handoff_put(struct wl *wl, const struct block *block, uint32_t thread)
{
    uint64_t id = wl->syncs;
    if (block->thread == thread)
        return true;
    wl->syncs++;
    return code_put(wl, block->thread, WL_SYNC_W, 1, &id) &&
           code_put(wl, thread, WL_SYNC_R, 1, &id);
}

static bool make_put(struct wl *wl, const struct trace_op *op, uint64_t slot)
{
    uint64_t bytes = trace_op_bytes(op);
    switch ((enum trace_kind)op->kind) {
    case TRACE_CALLOC:
        return code_put(wl, op->thread, WL_CALLOC, 2, (uint64_t[]){slot, bytes});
    case TRACE_REALLOC:
        return code_put(wl, op->thread, WL_REALLOC, 3, (uint64_t[]){slot, 0, bytes});
    case TRACE_VALLOC:
        return code_put(wl, op->thread, WL_VALLOC, 2, (uint64_t[]){slot, bytes});
    case TRACE_PVALLOC:
        return code_put(wl, op->thread, WL_PVALLOC, 2, (uint64_t[]){slot, bytes});
    case TRACE_POSIX_MEMALIGN:
        return code_put(wl, op->thread, WL_POSIX_MEMALIGN, 3, (uint64_t[]){slot, op->count, bytes});
    case TRACE_MEMALIGN:
    case TRACE_ALIGNED_ALLOC:
        return code_put(wl, op->thread, WL_MEMALIGN, 3, (uint64_t[]){slot, op->count, bytes});
    default:
        return code_put(wl, op->thread, WL_MALLOC, 2, (uint64_t[]){slot, bytes});
    }
}

/* A block that is resized or freed. */
static bool touch_put(struct wl *wl, const struct trace_op *op, struct block *block)
{
    uint64_t numbers[] = {block->slot, block->slot, op->size};
    bool resizes = op->kind == TRACE_REALLOC;
    if (!handoff_put(wl, block, op->thread) ||
        !code_put(wl, op->thread, resizes ? WL_REALLOC : WL_FREE, resizes ? 3 : 1, numbers))
        return false;
    block->thread = op->thread;
    if (trace_op_frees(op)) {
        wl->next[block->slot] = wl->streams[op->thread].free;
        wl->streams[op->thread].free = block->slot;
    }
    return true;
}

static bool op_put(struct wl *wl, const struct trace_op *op)
{
    if (op->kind >= TRACE_THREAD_START || op->flags & TRACE_FAILED)
        return true;
    if (op->kind == TRACE_FREE && op->flags & TRACE_NULL)
        return code_put(wl, op->thread, WL_FREE, 1, (uint64_t[]){0});
    struct block *block = block_find(wl, op);
    if (block == NULL)
        return false;
    if (!trace_op_makes(op))
        return touch_put(wl, op, block);
    block->thread = op->thread;
    block->slot = slot_give(wl, &wl->streams[op->thread]);
    return block->slot != 0 && make_put(wl, op, block->slot);
}

/* All operations, and each thread's end: behind it nobody could be waited for, so it comes last. */
static bool trace_put(struct wl *wl)
{
    const struct trace_op *op;
    wl->slots = wl->syncs = 0;
    while ((op = export_next(wl->export)) != NULL) {
        if (!op_put(wl, op))
            return false;
    }
    for (uint32_t i = 0; i < wl->threads; i++) {
        if (!code_put(wl, i, WL_DONE, 0, NULL))
            return false;
        if (wl->writing && !stream_flush(wl, &wl->streams[i]))
            return false;
    }
    return wl->export->error[0] == '\0';
}

static size_t main_code_put(unsigned char *at, enum wl_code code, uint64_t number)
{
    at[0] = (unsigned char)code;
    number_put_fixed(at + 1, number);
    return 1 + NUMBER_BYTES;
}

/* The main block, with what the first reading counted; places each thread's code behind it. */
static bool main_put(struct wl *wl)
{
    unsigned char bytes[1 + NUMBER_BYTES];
    uint64_t at = 0, start = (3 + wl->threads) * sizeof bytes + 1;
    const struct {
        enum wl_code code;
        uint64_t number;
    } counts[] = {
        {WL_ALLOC_PTRS, wl->slots}, {WL_ALLOC_SYNCS, wl->syncs}, {WL_NTHREADS, wl->threads}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++, at += sizeof bytes) {
        main_code_put(bytes, counts[i].code, counts[i].number);
        if (!bytes_write(wl, bytes, sizeof bytes, at))
            return false;
    }
    for (size_t i = 0; i < wl->threads; i++, at += sizeof bytes) {
        main_code_put(bytes, WL_START_THREAD, start);
        if (!bytes_write(wl, bytes, sizeof bytes, at))
            return false;
        uint64_t length = wl->streams[i].bytes;
        wl->streams[i] = (struct stream){.start = start};
        start += length;
    }
    bytes[0] = WL_DONE;
    return bytes_write(wl, bytes, 1, at);
}

static void losses_note(struct export *export)
{
    const struct trace_totals *totals = &export->totals;
    export_lose(export, totals->threads > 1 ? totals->threads : 0, "thread",
                "whose order is kept at hand-offs alone");
    export_lose(export, totals->by_kind[TRACE_CALLOC], "calloc", "of one element");
    export_lose(export, totals->by_kind[TRACE_ALIGNED_ALLOC], "aligned_alloc", "became memalign");
    export_lose(export, totals->failed, "failed call", "left out");
    export_lose_time(export);
}

static bool wl_write(struct export *export)
{
    struct wl wl = {.export = export, .threads = export->totals.threads};
    wl.streams = pages_map((wl.threads + 1) * sizeof *wl.streams);
    wl.buffers = pages_map((wl.threads + 1) * STREAM_BYTES);
    bool ok = (wl.streams != NULL && wl.buffers != NULL) || export_fail_errno(export);
    ok = ok && trace_put(&wl) && main_put(&wl) && export_rewind(export);
    wl.writing = true;
    ok = ok && trace_put(&wl);
    pages_unmap(wl.streams, (wl.threads + 1) * sizeof *wl.streams);
    pages_unmap(wl.buffers, (wl.threads + 1) * STREAM_BYTES);
    pages_unmap(wl.blocks, wl.blocks_capacity * sizeof *wl.blocks);
    pages_unmap(wl.next, wl.next_capacity * sizeof *wl.next);
    if (ok)
        losses_note(export);
    return ok;
}

const struct export_format export_wl = {
    .name = "wl",
    .summary = "glibc's malloc trace workload .wl",
    .write = wl_write,
};
