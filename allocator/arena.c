/* Locking, and the functions behind it: see arena.h. */
#include "arena.h"
#include "check.h"
#include "kernel.h"

#include <errno.h>
#include <pthread.h>

/* As in <linux/futex.h>, which not every C library comes with. */
enum {
    FUTEX_AMONG_THREADS = 128, /* of one process: FUTEX_PRIVATE_FLAG */
    FUTEX_SLEEP = 0 | FUTEX_AMONG_THREADS,
    FUTEX_WAKE = 1 | FUTEX_AMONG_THREADS,
};

struct arena arenas[BUILD_ARENAS];

/* The thread that is between prepare and parent of a fork, and so holds the locks. NULL: none. */
static _Atomic(const int *) forking;

/* What tells threads apart and is the same in a child, as the kernel's number of the thread is not:
   where its errno is. */
static const int *own_id(void)
{
    return &errno;
}

/* Whoever has slept takes the lock as awaited: others may sleep still, and lock_give, which wakes
   one, has wiped out their mark. */
static void lock_take(_Atomic uint32_t *lock)
{
    uint32_t found = ARENA_FREE;
    if (atomic_compare_exchange_strong_explicit(lock, &found, ARENA_TAKEN, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    while (atomic_exchange_explicit(lock, ARENA_AWAITED, memory_order_acquire) != ARENA_FREE)
        kernel_call(SYS_futex, (long)lock, FUTEX_SLEEP, ARENA_AWAITED, 0, 0, 0);
}

static void lock_give(_Atomic uint32_t *lock)
{
    if (atomic_exchange_explicit(lock, ARENA_FREE, memory_order_release) == ARENA_AWAITED)
        kernel_call(SYS_futex, (long)lock, FUTEX_WAKE, 1, 0, 0, 0);
}

/* While a thread forks it has all locks: handlers of other libraries run in between and may
   allocate. */
bool arena_lock_threaded(struct arena *arena)
{
    const int *forker = atomic_load_explicit(&forking, memory_order_relaxed);
    if (forker && forker == own_id())
        return false;
    lock_take(&arena->lock);
    return true;
}

void arena_unlock_threaded(struct arena *arena)
{
    lock_give(&arena->lock);
}

static void fork_prepare(void)
{
    for (int i = 0; i < BUILD_ARENAS; i++)
        lock_take(&arenas[i].lock);
    atomic_store_explicit(&forking, own_id(), memory_order_relaxed);
}

static void fork_parent(void)
{
    atomic_store_explicit(&forking, NULL, memory_order_relaxed);
    for (int i = 0; i < BUILD_ARENAS; i++)
        lock_give(&arenas[i].lock);
}

/* Who sleeps in the parent does not in the child. */
static void fork_child(void)
{
    atomic_store_explicit(&forking, NULL, memory_order_relaxed);
    for (int i = 0; i < BUILD_ARENAS; i++)
        atomic_store_explicit(&arenas[i].lock, ARENA_FREE, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void *arena_allocate(struct arena *arena, size_t request)
{
    bool locked = arena_lock(arena);
    void *p = heap_allocate(&arena->heap, request);
    arena_unlock(arena, locked);
    return p;
}

void *arena_allocate_zeroed(struct arena *arena, size_t request)
{
    bool locked = arena_lock(arena);
    void *p = heap_allocate_zeroed(&arena->heap, request);
    arena_unlock(arena, locked);
    return p;
}

void *arena_allocate_aligned(struct arena *arena, size_t align, size_t request)
{
    bool locked = arena_lock(arena);
    void *p = heap_allocate_aligned(&arena->heap, align, request);
    arena_unlock(arena, locked);
    return p;
}

static struct arena *arena_of(void *p)
{
    return BUILD_ARENAS == 1 ? &arenas[0] : arena_of_heap(block_owner(block_from_payload(p))->heap);
}

void arena_free(void *p)
{
    struct arena *arena = arena_of(p);
    bool locked = arena_lock(arena);
    heap_free(&arena->heap, p);
    arena_unlock(arena, locked);
}

void *arena_resize(void *p, size_t request)
{
    struct arena *arena = arena_of(p);
    bool locked = arena_lock(arena);
    void *resized = heap_resize(&arena->heap, p, request);
    arena_unlock(arena, locked);
    return resized;
}

size_t arena_usable_size(void *p)
{
    struct arena *arena = arena_of(p);
    bool locked = arena_lock(arena);
    size_t size = heap_usable_size(p);
    arena_unlock(arena, locked);
    return size;
}

unsigned arenas_check(char *report)
{
    unsigned faults = 0;
    for (int i = 0; i < BUILD_ARENAS; i++) {
        char ignored[CHECK_REPORT_MAX];
        bool locked = arena_lock(&arenas[i]);
        faults += heap_check(&arenas[i].heap, faults ? ignored : report);
        arena_unlock(&arenas[i], locked);
    }
    return faults;
}
