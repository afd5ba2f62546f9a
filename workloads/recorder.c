/*
 * librecord.so: stands in front of malloc and its family and records each call (workloads/raw.h).
 * It never changes what the program gets: every call goes on to the next allocator.
 *
 * A free is stamped before the real free, an allocation after the real malloc has returned, a
 * realloc both times: so an address is never seen live twice, and no lock is needed for order.
 * A call made inside another call of the same thread passes through unrecorded: it is the
 * allocator's own, or our own, or that of a signal handler.
 */
#include "recorder_call.h"
#include "recorder_real.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Serves calls that come while the real functions are looked for: by dlsym, where that is used.
   Never freed. */
enum { ARENA_BYTES = 16 << 10, ARENA_ALIGNMENT = 16 };
static _Alignas(ARENA_ALIGNMENT) char arena[ARENA_BYTES];
static size_t arena_used;

static void *arena_take(size_t size)
{
    size_t bytes = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    size_t at = arena_used;
    if (size > ARENA_BYTES || bytes > ARENA_BYTES - at) {
        errno = ENOMEM;
        return NULL;
    }
    arena_used = at + bytes;
    return arena + at;
}

static inline bool arena_owns(const void *p)
{
    return UNLIKELY((uintptr_t)p - (uintptr_t)arena < ARENA_BYTES);
}

/* The block's size is not known; what follows it in the arena is harmless to copy. */
static void *arena_move(const char *p, size_t size)
{
    void *moved = real.malloc != NULL ? real.malloc(size) : arena_take(size);
    size_t most = (size_t)(arena + ARENA_BYTES - p);
    if (moved != NULL)
        memmove(moved, p, size < most ? size : most);
    return moved;
}

static ALWAYS_INLINE void put_realloc(struct stream *self, const void *p, size_t size,
                                      uintptr_t old, uint64_t before, struct caller caller)
{
    const uint64_t more[] = {old & RAW_ADDRESS_MASK, before};
    put(self, TRACE_REALLOC, p, size, more, 2, caller);
}

EXPORT void *malloc(size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.malloc(size) : arena_take(size);
    void *p = real.malloc(size);
    put_sized(self, TRACE_MALLOC, p, size, CALLER());
    leave(self);
    return p;
}

static void *calloc_unrecorded(size_t count, size_t size)
{
    size_t bytes;
    if (real.malloc != NULL)
        return real.calloc(count, size);
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : arena_take(bytes);
}

EXPORT void *calloc(size_t count, size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return calloc_unrecorded(count, size);
    void *p = real.calloc(count, size);
    put_counted(self, TRACE_CALLOC, p, size, count, CALLER());
    leave(self);
    return p;
}

EXPORT void free(void *p)
{
    struct stream *self = &stream_own;
    if (arena_owns(p))
        return;
    if (UNLIKELY(!enter(self))) {
        if (real.malloc != NULL)
            real.free(p);
        return;
    }
    put_sized(self, TRACE_FREE, p, 0, CALLER());
    real.free(p);
    leave(self);
}

static void *realloc_unrecorded(void *p, size_t size)
{
    return real.malloc != NULL ? real.realloc(p, size) : arena_take(size);
}

EXPORT void *realloc(void *p, size_t size)
{
    struct stream *self = &stream_own;
    if (arena_owns(p))
        return arena_move(p, size);
    if (UNLIKELY(!enter(self)))
        return realloc_unrecorded(p, size);
    uintptr_t old = (uintptr_t)p;
    uint64_t before = stamp_now(self);
    void *moved = real.realloc(p, size);
    put_realloc(self, moved, size, old, before, CALLER());
    leave(self);
    return moved;
}

/* Recorded as a realloc of the product; one that overflows as a realloc that failed. */
EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
    struct stream *self = &stream_own;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    if (arena_owns(p))
        return arena_move(p, bytes);
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.reallocarray(p, count, size) : arena_take(bytes);
    uintptr_t old = (uintptr_t)p;
    uint64_t before = stamp_now(self);
    void *moved = real.reallocarray(p, count, size);
    put_realloc(self, moved, bytes, old, before, CALLER());
    leave(self);
    return moved;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.aligned_alloc(alignment, size) : NULL;
    void *p = real.aligned_alloc(alignment, size);
    put_counted(self, TRACE_ALIGNED_ALLOC, p, size, alignment, CALLER());
    leave(self);
    return p;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.memalign(alignment, size) : NULL;
    void *p = real.memalign(alignment, size);
    put_counted(self, TRACE_MEMALIGN, p, size, alignment, CALLER());
    leave(self);
    return p;
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.posix_memalign(out, alignment, size) : ENOMEM;
    int error = real.posix_memalign(out, alignment, size);
    put_counted(self, TRACE_POSIX_MEMALIGN, error == 0 ? *out : NULL, size, alignment, CALLER());
    leave(self);
    return error;
}

EXPORT void *valloc(size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.valloc(size) : NULL;
    void *p = real.valloc(size);
    put_sized(self, TRACE_VALLOC, p, size, CALLER());
    leave(self);
    return p;
}

EXPORT void *pvalloc(size_t size)
{
    struct stream *self = &stream_own;
    if (UNLIKELY(!enter(self)))
        return real.malloc != NULL ? real.pvalloc(size) : NULL;
    void *p = real.pvalloc(size);
    put_sized(self, TRACE_PVALLOC, p, size, CALLER());
    leave(self);
    return p;
}

/* In a child that libc forked. */
static void forked(void)
{
    image_forked();
    window_forget_own();
}

/* The first call may come before this or never: what matters is that the root process is known. */
__attribute__((constructor)) static void recorder_begins(void)
{
    struct stream *self = &stream_own;
    if (!enter(self))
        return;
    pthread_atfork(NULL, NULL, forked);
    window_prepare();
    image_prepare();
    leave(self);
}

__attribute__((destructor)) static void recorder_ends(void)
{
    if (image_is_recorded())
        image_renew_clock();
    image_ends();
}
