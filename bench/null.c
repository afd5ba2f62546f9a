/*
 * libnull.so: no allocator, but the price of calling one. Blocks are cut from a small ring that
 * stays in the cache, and free does nothing; blocks overlap, so a program that keeps data in them
 * fails. It is preloaded into a replay to find the harness's own cost, and for nothing else.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    ALIGNMENT = 16,
    RING_ALIGNMENT = 4096, /* a page at the least; not all loaders care for larger ones */
    RING_BYTES = 64 << 10  /* arbitrary: well inside a second-level cache */
};

/* Largest block and largest alignment; arbitrary. */
static const size_t large_max = (size_t)32 << 30;

static _Alignas(RING_ALIGNMENT) char ring[RING_BYTES];

/*
 * The blocks that do not fit the ring all begin at the start of the reserve, of which the first
 * `opened` bytes may be used; both are 0 until the first of them. A reserve that has become too
 * small is followed by a larger one and stays, since its blocks may be in use.
 */
static _Atomic(char *) reserve;
static atomic_size_t opened;
static size_t reserved; /* its bytes; read and written under the lock */
static atomic_flag lock = ATOMIC_FLAG_INIT;

/* Each thread goes round the ring by itself: no shared write. */
static _Thread_local size_t cursor __attribute__((tls_model("initial-exec")));

void *malloc(size_t size);
void free(void *p);
void *calloc(size_t count, size_t size);
void *realloc(void *p, size_t size);
void *reallocarray(void *p, size_t count, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **p, size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *p);

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t page_round(size_t bytes)
{
    return (bytes + page_size() - 1) & ~(page_size() - 1);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/*
 * How much to reserve at first. Address space costs nothing where it is not limited; where it is
 * (ulimit -v), the harness and what the trace needs must still find room: an eighth, arbitrary.
 */
static size_t reserve_wanted(void)
{
    struct rlimit space;
    bool is_limited = getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
    size_t wanted = 2 * large_max;
    return is_limited && space.rlim_cur / 8 < wanted ? (size_t)space.rlim_cur / 8 : wanted;
}

/* Maps address space of *bytes, or of half as often as it takes, but not less than `least`. */
static char *space_map(size_t *bytes, size_t least)
{
    for (;; *bytes = larger(least, *bytes / 2)) {
        char *p = mmap(NULL, *bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p != MAP_FAILED)
            return p;
        if (*bytes == least)
            return NULL;
    }
}

/* Makes a reserve of at least `least` bytes, which is more than the one before has. */
static bool reserve_map(size_t least)
{
    size_t bytes = larger(least, reserved > 0 ? 2 * reserved : reserve_wanted());
    char *mapped = space_map(&bytes, least);
    if (mapped == NULL)
        return false;
    /* What was open in the old one comes first: a thread that has read `opened` and then meets the
       new start must find as much behind it. */
    if (mprotect(mapped, opened, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapped, bytes);
        return false;
    }
    reserved = bytes;
    atomic_store_explicit(&reserve, mapped, memory_order_release);
    return true;
}

/*
 * Opens at least `least` bytes, twice as much as before if that is granted, so that there are few
 * calls. Only what is open counts as promised where the system promises no more than it has
 * (overcommit 2), or under a limit of data.
 */
static bool reserve_open(size_t least)
{
    char *start = atomic_load_explicit(&reserve, memory_order_relaxed);
    size_t doubled = larger(least, 2 * opened);
    size_t bytes = doubled < reserved ? doubled : reserved;
    bool is_open = mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
    if (!is_open) {
        bytes = least;
        is_open = mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
    }
    if (is_open)
        atomic_store_explicit(&opened, bytes, memory_order_release);
    return is_open;
}

static bool reserve_grow(size_t least)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        sched_yield();
    bool has_room = least <= reserved || reserve_map(least);
    bool is_enough = has_room && (least <= opened || reserve_open(least));
    atomic_flag_clear_explicit(&lock, memory_order_release);
    return is_enough;
}

static void *large_block(size_t alignment, size_t size)
{
    bool is_possible = size <= large_max && alignment <= large_max;
    size_t least = is_possible ? page_round(size + alignment) : 0;
    bool is_open = least <= atomic_load_explicit(&opened, memory_order_acquire);
    if (is_possible && (is_open || reserve_grow(least))) {
        uintptr_t start = (uintptr_t)atomic_load_explicit(&reserve, memory_order_acquire);
        return (void *)((start + alignment - 1) & ~(uintptr_t)(alignment - 1));
    }
    errno = ENOMEM;
    return NULL;
}

static inline void *block(size_t alignment, size_t size)
{
    size_t at = (cursor + alignment - 1) & ~(alignment - 1);
    if (__builtin_expect(size > RING_BYTES || alignment > RING_ALIGNMENT, 0))
        return large_block(alignment, size);
    if (at + size > RING_BYTES)
        at = 0;
    cursor = at + size;
    return ring + at;
}

EXPORT void *malloc(size_t size)
{
    return block(ALIGNMENT, size);
}

EXPORT void free(void *p)
{
    (void)p;
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    void *p = block(ALIGNMENT, bytes);
    if (bytes <= RING_BYTES)
        memset(p, 0, bytes);
    return p;
}

/* It does not know the old block's size, so it copies nothing. */
EXPORT void *realloc(void *p, size_t size)
{
    return p != NULL && size == 0 ? NULL : block(ALIGNMENT, size);
}

EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    return realloc(p, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

static bool alignment_is_sane(size_t alignment)
{
    return alignment != 0 && (alignment & (alignment - 1)) == 0;
}

EXPORT int posix_memalign(void **p, size_t alignment, size_t size)
{
    if (!alignment_is_sane(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    int before = errno;
    void *made = block(alignment, size);
    errno = before;
    if (made == NULL)
        return ENOMEM;
    *p = made;
    return 0;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    if (alignment_is_sane(alignment))
        return block(alignment < ALIGNMENT ? ALIGNMENT : alignment, size);
    errno = EINVAL;
    return NULL;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

EXPORT void *valloc(size_t size)
{
    return aligned_alloc(page_size(), size);
}

EXPORT void *pvalloc(size_t size)
{
    return aligned_alloc(page_size(), size <= large_max ? page_round(size) : size);
}

/* Unknown, and no byte more than was asked for may be used. */
EXPORT size_t malloc_usable_size(void *p)
{
    (void)p;
    return 0;
}
