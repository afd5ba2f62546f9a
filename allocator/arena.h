/*
 * Arenas: heaps behind locks, and what becomes of those in a fork. A lock is left alone while the
 * process has a single thread. libspan has one arena; libspan-fast has several that threads share
 * out among themselves, and brings each block home to the one that its span belongs to.
 *
 * The lock is a word and the kernel's futex, as libc's plain mutex is: who finds it taken sleeps,
 * in no order, and lends no priority. It is no pthread_mutex_t because pthread_mutex_lock may be
 * another library's (see kernel.h).
 */
#ifndef ALLOCATOR_ARENA_H
#define ALLOCATOR_ARENA_H

#include "heap.h"

#include <stdatomic.h>
#include <stdint.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define ARENA_SINGLE_THREADED __libc_single_threaded
#else
#define ARENA_SINGLE_THREADED false /* musl and glibc before 2.32 do not tell */
#endif

enum {
    ARENA_LINE = 64, /* bytes; two arenas share no cache line */
    /* Bytes that are sent home before they are merged into the heap; arbitrary. */
    ARENA_SENT_MAX = 1024 * 1024,
};

/* 0 first: heaps need no constructor. */
enum arena_lock { ARENA_FREE, ARENA_TAKEN, ARENA_AWAITED /* taken, and others may sleep */ };

struct arena {
    _Alignas(ARENA_LINE) struct heap heap; /* first: arena_of_heap */
    _Atomic uint32_t lock;                 /* an enum arena_lock */
#if SPAN_FAST
    _Atomic unsigned threads; /* that take their blocks from here */
    /* Blocks of this heap that other arenas' threads freed, linked by next, and their bytes. */
    _Alignas(ARENA_LINE) _Atomic(struct block *) sent_home;
    _Atomic size_t sent_bytes;
#endif
};

/* All heaps of the process. */
extern struct arena arenas[BUILD_ARENAS];

static inline struct arena *arena_of_heap(struct heap *heap)
{
    return (struct arena *)heap;
}

/* The arena of a payload whose block was checked. */
static inline struct arena *arena_of_payload(const void *p)
{
    return arena_of_heap(block_owner(block_from_payload(p))->heap);
}

/* Locks, unless the calling thread has all locks: see arena.c. */
bool arena_lock_threaded(struct arena *arena);
void arena_unlock_threaded(struct arena *arena);

/*
 * Locks and unlocks; the bool is whether there was anything to lock, and belongs to the unlock: the
 * answer of ARENA_SINGLE_THREADED may change to true before that (it never changes to false in
 * between, since nothing in a heap starts threads).
 */
static inline bool arena_lock(struct arena *arena)
{
    return !ARENA_SINGLE_THREADED && arena_lock_threaded(arena);
}

static inline void arena_unlock(struct arena *arena, bool locked)
{
    if (locked)
        arena_unlock_threaded(arena);
}

/* The functions of heap.h, for any thread; errors are the same. A block finds its arena itself:
   where there are several, the caller has checked it (heap_block_checked). */
void *arena_allocate(struct arena *arena, size_t request);
void *arena_allocate_zeroed(struct arena *arena, size_t request);
void *arena_allocate_aligned(struct arena *arena, size_t align, size_t request);
void arena_free(void *p);
void *arena_resize(void *p, size_t request);
size_t arena_usable_size(void *p);

#if SPAN_FAST
/*
 * How many arenas threads that begin share out among themselves: two for each processor, at most
 * all. No more threads can be in a heap at once than there are processors, and each heap has memory
 * of its own that is free.
 */
unsigned arenas_in_use(void);

/* The arena of those with the fewest threads, for one more; and a thread fewer. */
struct arena *arena_join(void);
void arena_leave(struct arena *arena);

/* For a thread that often waits for its arena's lock: the one of all that has the fewest threads,
   which it has joined instead, or its own if no other has fewer. */
struct arena *arena_move(struct arena *own);

/* Whether a thread has the lock; it may have given it up by now. */
static inline bool arena_is_busy(const struct arena *arena)
{
    return atomic_load_explicit(&arena->lock, memory_order_relaxed) != ARENA_FREE;
}

/* How many threads there are in all arenas. */
unsigned arena_threads(void);

/* As heap_allocate_run. */
size_t arena_allocate_run(struct arena *arena, size_t gross, void **payloads, size_t count);

/*
 * Frees blocks that are marked BLOCK_MAGIC_CACHED, of whichever arenas; the array is reordered.
 * Those of `own`, the calling thread's, go to its heap; the others are sent home, without a lock:
 * each arena has a list to which any thread adds with one exchange, and from which its own threads
 * take all with another, to be given out again. It is merged into the heap when ARENA_SENT_MAX
 * bytes have come and nobody has, or no thread is left to do so. errno is kept.
 */
void arena_free_run(struct arena *own, void **payloads, size_t count);

/* Merges what was sent home into the heap. */
void arena_settle(struct arena *arena);

/* All blocks that were sent home, linked by next, marked BLOCK_MAGIC_CACHED, prev one to be fetched
   ahead; or NULL. */
struct block *arena_take_sent(struct arena *arena);
#endif

/* heap_check of all heaps, the first fault in `report`, which has CHECK_REPORT_MAX bytes. */
unsigned arenas_check(char *report);

#endif
