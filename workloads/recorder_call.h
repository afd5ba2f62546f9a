/*
 * What every function that the recorder exports does around the call that it passes on: enter(),
 * the real function, a record, leave(). A call made between enter() and leave() of the same thread
 * passes through unrecorded.
 */
#ifndef WORKLOADS_RECORDER_CALL_H
#define WORKLOADS_RECORDER_CALL_H

#include "recorder_window.h"

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#else /* before glibc 2.32, and in other libraries: nobody says, so there may be several */
static const char __libc_single_threaded = 0;
#endif

#define ALWAYS_INLINE __attribute__((always_inline)) inline
#define EXPORT        __attribute__((visibility("default")))
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)

/* Records that share a stamp in a program of one thread. After a pause, fewer than these carry the
   time from before it. */
enum { STAMP_USES = 8 };

/* enter() where the calling thread may not be recorded yet, or not now. */
__attribute__((noinline)) bool enter_slowly(struct stream *self);

/* Whether this call is to be recorded; if so, it must end with leave(). */
static inline bool enter(struct stream *self)
{
    if (UNLIKELY(self->busy != STREAM_IDLE || !*image_live))
        return enter_slowly(self);
    self->busy = STREAM_INSIDE;
    return true;
}

static inline void leave(struct stream *self)
{
    if (UNLIKELY(self->over) && self->window != NULL)
        window_release(self);
    self->busy = STREAM_IDLE;
}

/*
 * The order of stamps matters between threads only. So a fence, which costs about as much as the
 * stamp, is for programs that have several; and where there is one, a stamp (10 ns) serves a few
 * records, unless another thread has come and gone since it was taken.
 */
static inline uint64_t stamp_now(struct stream *self)
{
    if (UNLIKELY(!__libc_single_threaded)) {
        self->stamp_uses = 0;
        raw_stamp_fence();
        return raw_stamp();
    }
    uint32_t epoch = __atomic_load_n(&image_stamp_epoch, __ATOMIC_RELAXED);
    if (self->stamp_uses == 0 || self->stamp_epoch != epoch) {
        self->stamp = raw_stamp();
        self->stamp_uses = STAMP_USES;
        self->stamp_epoch = epoch;
    }
    self->stamp_uses--;
    return self->stamp;
}

/* A record, stamped once it is known who called: a module that was noted first has an earlier stamp
   then. */
static ALWAYS_INLINE void put(struct stream *self, enum trace_kind kind, const void *p, size_t size,
                              const uint64_t *more, unsigned count, struct caller caller)
{
    uint64_t frames[RAW_DEPTH_MAX];
    unsigned depth = sites_frames(&self->sites, caller, frames);
    stream_put(self, kind, stamp_now(self), p, size, more, count, frames, depth);
}

/* A record of an address and a size. */
static ALWAYS_INLINE void put_sized(struct stream *self, enum trace_kind kind, const void *p,
                                    size_t size, struct caller caller)
{
    put(self, kind, p, size, NULL, 0, caller);
}

/* The same with a number of elements or an alignment. */
static ALWAYS_INLINE void put_counted(struct stream *self, enum trace_kind kind, const void *p,
                                      size_t size, size_t count, struct caller caller)
{
    const uint64_t more[] = {count};
    put(self, kind, p, size, more, 1, caller);
}

#endif
