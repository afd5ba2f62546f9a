/*
 * Records and the windows they go to. Each thread has a stream: a place in a window of its own,
 * reached through initial-exec TLS, so that a record costs a few stores and no shared write. What
 * to record is the business of recorder.c.
 */
#ifndef WORKLOADS_RECORDER_WINDOW_H
#define WORKLOADS_RECORDER_WINDOW_H

#include "recorder_sites.h"
#include "recorder_space.h"
#include "trace.h"

#include <stdatomic.h>

/* What a thread is doing. A call that finds it not idle is nested and passes through. */
enum stream_busy {
    STREAM_IDLE,
    STREAM_INSIDE,  /* in the real function, or in our slow code */
    STREAM_WRITING, /* a record is half written: a nested call is a signal handler's */
};

/* Where a thread's records go. All zero in a new thread. */
struct stream {
    uint64_t *cursor; /* next record */
    uint64_t *limit;  /* from here on a record might not fit before `end`; NULL: no window */
    volatile uint32_t busy;
    bool over;                 /* the thread has ended: keep no window between calls */
    bool numbered;             /* `thread` is valid */
    struct raw_window *window; /* NULL: none */
    uint64_t end;              /* bytes of it that may be written before the next window_claim */
    uint32_t thread;
    uint32_t sequence; /* pieces begun so far */
    uint32_t rounds;   /* of thread-specific destructors seen */
    uint32_t skip;     /* calls to lose before the next try for a window */
    int skip_errno;    /* why the last try failed */
    uint64_t stamp;    /* shared by the next `stamp_uses` records ... */
    uint32_t stamp_uses;
    uint32_t stamp_epoch; /* ... while image_stamp_epoch is this */
    struct space_ahead ahead;
    struct sites_cache sites;
};

extern _Thread_local struct stream stream_own __attribute__((tls_model("initial-exec")));

/* From the library's constructor: the ends of threads are noticed from now on. */
void window_prepare(void);
/* In a child after fork, whose windows are its parent's: the calling thread has none ... */
void window_forget_own(void);
/* ... and no thread has. No other one may be recorded yet. */
void window_forget(void);

/* Finds the stream a place to go on, after `limit`; false: there is none, and the call was counted
 * as lost. */
bool window_claim(struct stream *stream);
/* Ends the stream with a THREAD_END record and hands on what is left of its window. */
void window_release(struct stream *stream);

/*
 * Appends a record: `count` words of `more` follow word 1, `depth` of `frames` the rest. `bytes` is
 * the size that shares word 1 with the address. Whatever a signal handler does, it finds either all
 * or nothing of the record.
 */
static inline __attribute__((always_inline)) void stream_put(struct stream *stream,
                                                             enum trace_kind kind, uint64_t stamp,
                                                             const void *address, uint64_t bytes,
                                                             const uint64_t *more, unsigned count,
                                                             const uint64_t *frames, unsigned depth)
{
    stream->busy = STREAM_WRITING;
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(stream->cursor >= stream->limit, 0) && !window_claim(stream))
        return;
    uint64_t *at = stream->cursor;
    uint64_t *next = at + 2 + count;
    uint64_t word0 = (stamp << RAW_STAMP_SHIFT) | (uint64_t)(kind + 1);
    uint64_t packed = bytes;
    if (__builtin_expect(bytes >= RAW_SIZE_LONG, 0)) {
        *next++ = bytes;
        packed = RAW_SIZE_LONG;
        word0 |= RAW_LONG;
    }
    if (depth > 0) {
        word0 |= RAW_SITED;
        *next++ = (frames[0] & RAW_ADDRESS_MASK) | (uint64_t)(depth - 1) << RAW_SIZE_SHIFT;
    }
    for (unsigned i = 1; __builtin_expect(i < depth, 0); i++)
        *next++ = frames[i];
    at[1] = ((uintptr_t)address & RAW_ADDRESS_MASK) | packed << RAW_SIZE_SHIFT;
    for (unsigned i = 0; i < count; i++)
        at[2 + i] = more[i];
    __atomic_store_n(at, word0, __ATOMIC_RELEASE);
    stream->cursor = next;
    atomic_signal_fence(memory_order_seq_cst);
    stream->busy = STREAM_INSIDE;
}

#endif
