/* Locking: see guard.h. */
#include "guard.h"
#include "kernel.h"

#include <errno.h>
#include <pthread.h>

/* As in <linux/futex.h>, which not every C library comes with. */
enum {
    FUTEX_AMONG_THREADS = 128, /* of one process: FUTEX_PRIVATE_FLAG */
    FUTEX_SLEEP = 0 | FUTEX_AMONG_THREADS,
    FUTEX_WAKE = 1 | FUTEX_AMONG_THREADS,
};

struct guard guards[BUILD_HEAPS];

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
    uint32_t found = GUARD_FREE;
    if (atomic_compare_exchange_strong_explicit(lock, &found, GUARD_TAKEN, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    while (atomic_exchange_explicit(lock, GUARD_AWAITED, memory_order_acquire) != GUARD_FREE)
        kernel_call(SYS_futex, (long)lock, FUTEX_SLEEP, GUARD_AWAITED, 0, 0, 0);
}

static void lock_give(_Atomic uint32_t *lock)
{
    if (atomic_exchange_explicit(lock, GUARD_FREE, memory_order_release) == GUARD_AWAITED)
        kernel_call(SYS_futex, (long)lock, FUTEX_WAKE, 1, 0, 0, 0);
}

/* While a thread forks it has all locks: handlers of other libraries run in between and may
   allocate. */
bool guard_lock_threaded(struct guard *guard)
{
    const int *forker = atomic_load_explicit(&forking, memory_order_relaxed);
    if (forker && forker == own_id())
        return false;
    lock_take(&guard->lock);
    return true;
}

void guard_unlock_threaded(struct guard *guard)
{
    lock_give(&guard->lock);
}

static void fork_prepare(void)
{
    for (int i = 0; i < BUILD_HEAPS; i++)
        lock_take(&guards[i].lock);
    atomic_store_explicit(&forking, own_id(), memory_order_relaxed);
}

static void fork_parent(void)
{
    atomic_store_explicit(&forking, NULL, memory_order_relaxed);
    for (int i = 0; i < BUILD_HEAPS; i++)
        lock_give(&guards[i].lock);
}

/* Who sleeps in the parent does not in the child. */
static void fork_child(void)
{
    atomic_store_explicit(&forking, NULL, memory_order_relaxed);
    for (int i = 0; i < BUILD_HEAPS; i++)
        atomic_store_explicit(&guards[i].lock, GUARD_FREE, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}
