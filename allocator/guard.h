/*
 * Heaps behind locks, and what becomes of those in a fork. A lock is left alone while the process
 * has a single thread.
 *
 * The lock is a word and the kernel's futex, as libc's plain mutex is: who finds it taken sleeps,
 * in no order, and lends no priority. It is no pthread_mutex_t because pthread_mutex_lock may be
 * another library's (see kernel.h).
 */
#ifndef ALLOCATOR_GUARD_H
#define ALLOCATOR_GUARD_H

#include "heap.h"

#include <stdatomic.h>
#include <stdint.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define GUARD_SINGLE_THREADED __libc_single_threaded
#else
#define GUARD_SINGLE_THREADED false /* musl and glibc before 2.32 do not tell */
#endif

enum { GUARD_LINE = 64 }; /* bytes; guards of two threads share no cache line */

/* 0 first: heaps need no constructor. */
enum guard_lock { GUARD_FREE, GUARD_TAKEN, GUARD_AWAITED /* taken, and others may sleep */ };

struct guard {
    _Alignas(GUARD_LINE) struct heap heap; /* first: guard_of_heap */
    _Atomic uint32_t lock;                 /* an enum guard_lock */
    _Atomic unsigned fronts;               /* threads that take their blocks from here */
};

/* All heaps of the process. */
extern struct guard guards[BUILD_HEAPS];

static inline struct guard *guard_of_heap(struct heap *heap)
{
    return (struct guard *)heap;
}

/* Locks, unless the calling thread has all locks: see guard.c. */
bool guard_lock_threaded(struct guard *guard);
void guard_unlock_threaded(struct guard *guard);

/*
 * Locks and unlocks; the bool is whether there was anything to lock, and belongs to the unlock: the
 * answer of GUARD_SINGLE_THREADED may change to true before that (it never changes to false in
 * between, since nothing in a heap starts threads).
 */
static inline bool guard_lock(struct guard *guard)
{
    return !GUARD_SINGLE_THREADED && guard_lock_threaded(guard);
}

static inline void guard_unlock(struct guard *guard, bool locked)
{
    if (locked)
        guard_unlock_threaded(guard);
}

#endif
