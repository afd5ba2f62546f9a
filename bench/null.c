/*
 * libnull.so: no allocator, but the price of calling one. Blocks are cut from a small ring that
 * stays in the cache, and free does nothing; blocks overlap, so a program that keeps data in them
 * fails. It is preloaded into a replay to find the harness's own cost, and for nothing else.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    ALIGNMENT = 16,
    PAGE = 4096,
    RING_BYTES = 64 << 10 /* arbitrary: well inside a second-level cache */
};

/* Largest block and largest alignment; arbitrary. Address space only, until it is touched. */
static const size_t large_max = (size_t)32 << 30;

static _Alignas(PAGE) char ring[RING_BYTES];
static _Atomic(char *) reserve; /* NULL until the first block that does not fit the ring */

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

static char *reserve_map(void)
{
    char *mapped = mmap(NULL, 2 * large_max, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    char *other = NULL;
    if (atomic_compare_exchange_strong(&reserve, &other, mapped))
        return mapped;
    munmap(mapped, 2 * large_max);
    return other;
}

/* All large blocks lie at the start of the reserve. */
static void *large_block(size_t alignment, size_t size)
{
    char *start = atomic_load_explicit(&reserve, memory_order_acquire);
    bool possible = size <= large_max && alignment <= large_max;
    if (possible && start == NULL)
        start = reserve_map();
    if (possible && start != NULL)
        return (void *)(((uintptr_t)start + alignment - 1) & ~(uintptr_t)(alignment - 1));
    errno = ENOMEM;
    return NULL;
}

static inline void *block(size_t alignment, size_t size)
{
    size_t at = (cursor + alignment - 1) & ~(alignment - 1);
    if (__builtin_expect(size > RING_BYTES || alignment > PAGE, 0))
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
    return aligned_alloc(PAGE, size);
}

EXPORT void *pvalloc(size_t size)
{
    return aligned_alloc(PAGE, size);
}

/* Unknown, and no byte more than was asked for may be used. */
EXPORT size_t malloc_usable_size(void *p)
{
    (void)p;
    return 0;
}
