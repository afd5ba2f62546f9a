/*
 * One thread of a workload: the calls to malloc that are counted, the live bytes, and the checks
 * that every block is the worker's own. A call that fails ends the process, since a run that did
 * not do its work has no time. Where a check costs something it is small and the same for all
 * allocators: blocks are stamped at both ends, not filled.
 */
#ifndef WORKLOADS_WORKER_H
#define WORKLOADS_WORKER_H

#include "plural.h"
#include "prng.h"
#include "workload.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKER_PAGE = 4096,       /* bytes; the smallest page there is, on all machines the same work */
    WORKER_LEAST = 8,         /* bytes of the smallest block: it has room for the stamp */
    WORKER_APART = 128,       /* two cache lines, which processors fetch together */
    WORKER_SHARED_AT = 65536, /* arbitrary: live bytes that a worker keeps to itself */
    WORKER_ERROR_MAX = 512
};

enum worker_call { CALL_MALLOC, CALL_FREE, CALL_REALLOC, CALL_CALLOC, CALL_ALIGNED };

struct worker {
    alignas(WORKER_APART) const struct workload_options *options;
    void *state;       /* the workload's */
    unsigned index;    /* 0 .. options->threads - 1 */
    struct prng prng;  /* differs by worker and seed */
    uint64_t ops;      /* calls made */
    uint64_t checksum; /* of kinds and sizes, in any order */
    int64_t live;      /* requested bytes made less freed since they were last shared */
    int64_t live_high; /* most of it since then */
    uint64_t refused;  /* calls that failed and were allowed to */
    char *stack;       /* of the threads that worker_run_thread makes */
};

/* A block that a workload holds; p is NULL where there is none. */
struct piece {
    char *p;
    size_t size; /* requested bytes */
};

/* Set when the time is over, where the user asked for a time. */
extern atomic_bool workers_stopped;

/* Zeroed memory that is not from malloc, touched; ends the process if there is none. */
void *worker_table(size_t bytes);
/* The workers of a run, with streams of numbers and stacks of their own. */
struct worker *workers_make(const struct workload_options *options);
/* The state of all workers, `bytes` each and apart from each other: first->state is the first. */
void workers_make_state(struct worker *workers, size_t bytes);
/*
 * Runs body(worker) on a new thread and waits for its end. Its stack is reused, so one at a time
 * for each worker. The C library itself calls calloc once a thread. The second form returns false
 * if memory is too short for a thread, where the first ends the process.
 */
void worker_run_thread(struct worker *worker, void (*body)(struct worker *));
bool worker_try_thread(struct worker *worker, void (*body)(struct worker *));
/* Print "WORKLOAD: what", as printf does, and end the process: the work failed (status 1), or what
   the user gave is no good (status 2). */
__attribute__((format(printf, 1, 2), noreturn)) void worker_fail(const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void worker_refuse(const char *format, ...);
void worker_fail_call(const char *call, size_t size) __attribute__((noreturn));
void worker_fail_block(const void *p, size_t size) __attribute__((noreturn));
/* Adds what the worker has kept to itself to the live bytes of all. */
void worker_share_live(struct worker *worker);
/* Live bytes of all workers as far as they are shared, and the most at once. */
int64_t workers_live(void);
int64_t workers_peak_live(void);
/* Whom messages are from. */
void workers_name(const char *name);

/* Whether a worker that has done this many of its calls is to go on. */
static inline bool worker_is_due_after(const struct worker *worker, uint64_t ops)
{
    return ops < worker->options->ops &&
           !atomic_load_explicit(&workers_stopped, memory_order_relaxed);
}

static inline bool worker_is_due(const struct worker *worker)
{
    return worker_is_due_after(worker, worker->ops);
}

/* Counts a call; `bytes` are those that became live. */
static inline void worker_count(struct worker *worker, enum worker_call call, size_t size,
                                int64_t bytes)
{
    uint64_t x = ((uint64_t)size << 3 | call) * 0x9e3779b97f4a7c15;
    worker->ops++;
    worker->checksum += x ^ x >> 32;
    worker->live += bytes;
    if (worker->live > worker->live_high)
        worker->live_high = worker->live;
    if (worker->live > WORKER_SHARED_AT || worker->live < -WORKER_SHARED_AT)
        worker_share_live(worker);
}

static inline uint64_t stamp_of(const void *p, size_t size)
{
    return ((uint64_t)(uintptr_t)p + size) * 0x9e3779b97f4a7c15;
}

/* Writes one byte in each page that begins in bytes [from, size) of the block. */
static inline void block_touch(char *p, size_t from, size_t size)
{
    char *page = (char *)(((uintptr_t)p + from + WORKER_PAGE) & ~(uintptr_t)(WORKER_PAGE - 1));
    for (; page < p + size; page += WORKER_PAGE)
        *(volatile char *)page = 1;
}

/* Marks both ends of the block as this one's. */
static inline void block_stamp(char *p, size_t size)
{
    uint64_t stamp = stamp_of(p, size);
    if (size > sizeof(stamp))
        p[size - 1] = (char)(stamp >> 32);
    memcpy(p, &stamp, sizeof(stamp));
}

static inline bool block_is_stamped(const char *p, size_t size)
{
    uint64_t wanted = stamp_of(p, size);
    uint64_t stamp;
    memcpy(&stamp, p, sizeof(stamp));
    return stamp == wanted && (size <= sizeof(stamp) || p[size - 1] == (char)(wanted >> 32));
}

/* What becomes of a new block. */
static inline char *worker_keep(struct worker *worker, enum worker_call call, char *p, size_t size)
{
    worker_count(worker, call, size, (int64_t)size);
    block_touch(p, 0, size);
    block_stamp(p, size);
    return p;
}

/* The calls. Sizes are WORKER_LEAST or more; every block has its pages touched. */

static inline char *worker_malloc(struct worker *worker, size_t size)
{
    char *p = malloc(size);
    if (__builtin_expect(p == NULL, 0))
        worker_fail_call("malloc", size);
    return worker_keep(worker, CALL_MALLOC, p, size);
}

/* As malloc; the new block must be zero at its ends and in its middle. */
static inline char *worker_calloc(struct worker *worker, size_t size)
{
    static const char zeros[WORKER_LEAST];
    char *p = calloc(1, size);
    if (__builtin_expect(p == NULL, 0))
        worker_fail_call("calloc", size);
    size_t last = size - WORKER_LEAST;
    if (memcmp(p, zeros, WORKER_LEAST) != 0 || memcmp(p + last / 2, zeros, WORKER_LEAST) != 0 ||
        memcmp(p + last, zeros, WORKER_LEAST) != 0)
        worker_fail_block(p, size);
    return worker_keep(worker, CALL_CALLOC, p, size);
}

/* The alignment is a power of two and a multiple of sizeof(void *). */
static inline char *worker_aligned(struct worker *worker, size_t alignment, size_t size)
{
    void *p;
    if (__builtin_expect(posix_memalign(&p, alignment, size) != 0, 0))
        worker_fail_call("posix_memalign", size);
    if (__builtin_expect(((uintptr_t)p & (alignment - 1)) != 0, 0))
        worker_fail("block %p of %zu byte%s is not aligned to %zu", p, size, plural(size),
                    alignment);
    return worker_keep(worker, CALL_ALIGNED, p, size);
}

/* Both sizes are WORKER_LEAST or more: the content up to the lesser must have come along. */
static inline char *worker_realloc(struct worker *worker, char *p, size_t old_size, size_t size)
{
    uint64_t stamp = stamp_of(p, old_size);
    if (__builtin_expect(!block_is_stamped(p, old_size), 0))
        worker_fail_block(p, old_size);
    p = realloc(p, size);
    if (__builtin_expect(p == NULL, 0))
        worker_fail_call("realloc", size);
    if (memcmp(p, &stamp, sizeof(stamp)) != 0)
        worker_fail_block(p, size);
    worker_count(worker, CALL_REALLOC, size, (int64_t)size - (int64_t)old_size);
    if (size > old_size)
        block_touch(p, old_size, size);
    block_stamp(p, size);
    return p;
}

static inline void worker_free(struct worker *worker, char *p, size_t size)
{
    if (__builtin_expect(!block_is_stamped(p, size), 0))
        worker_fail_block(p, size);
    worker_count(worker, CALL_FREE, size, -(int64_t)size);
    free(p);
}

/*
 * For blocks that hold the workload's own data, which it checks itself: neither stamped nor
 * touched.
 */
static inline void *worker_malloc_plain(struct worker *worker, size_t size)
{
    void *p = malloc(size);
    if (__builtin_expect(p == NULL, 0))
        worker_fail_call("malloc", size);
    worker_count(worker, CALL_MALLOC, size, (int64_t)size);
    return p;
}

static inline void worker_free_plain(struct worker *worker, void *p, size_t size)
{
    worker_count(worker, CALL_FREE, size, -(int64_t)size);
    free(p);
}

/* Puts a new block in the place of the old one, if there is one. */
static inline void worker_replace(struct worker *worker, struct piece *piece, size_t size)
{
    if (piece->p != NULL)
        worker_free(worker, piece->p, piece->size);
    *piece = (struct piece){worker_malloc(worker, size), size};
}

/* Frees what is in pieces[0 .. n) and empties them. */
static inline void worker_free_all(struct worker *worker, struct piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].p != NULL)
            worker_free(worker, pieces[i].p, pieces[i].size);
        pieces[i] = (struct piece){0};
    }
}

#endif
