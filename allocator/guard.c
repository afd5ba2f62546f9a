/* Locking: see guard.h. */
#include "guard.h"

#include <stdatomic.h>

struct guard guards[BUILD_HEAPS] = {
    [0 ... BUILD_HEAPS - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER},
};

/* The thread that is between prepare and parent of a fork, and so holds the mutexes. 0: none. */
static _Atomic pthread_t forking;

/* While a thread forks it has all locks: handlers of other libraries run in between and may
   allocate. */
bool guard_lock_threaded(struct guard *guard)
{
    pthread_t forker = atomic_load_explicit(&forking, memory_order_relaxed);
    if (forker && pthread_equal(forker, pthread_self()))
        return false;
    pthread_mutex_lock(&guard->mutex);
    return true;
}

static void fork_prepare(void)
{
    for (int i = 0; i < BUILD_HEAPS; i++)
        pthread_mutex_lock(&guards[i].mutex);
    atomic_store_explicit(&forking, pthread_self(), memory_order_relaxed);
}

static void fork_parent(void)
{
    atomic_store_explicit(&forking, 0, memory_order_relaxed);
    for (int i = 0; i < BUILD_HEAPS; i++)
        pthread_mutex_unlock(&guards[i].mutex);
}

static void fork_child(void)
{
    atomic_store_explicit(&forking, 0, memory_order_relaxed);
    for (int i = 0; i < BUILD_HEAPS; i++)
        pthread_mutex_init(&guards[i].mutex, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}
