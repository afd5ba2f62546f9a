/*
 * A sound allocator, some of whose calls sleep: the mallocs of 100 bytes, each SLOW_EVERY-th of
 * them (of the environment; 0 or none: no one), and each free of a block of 7,777 bytes. It never
 * reuses memory.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

enum { SLOW_MALLOC = 100, SLOW_FREE = 7777, MALLOC_MS = 3, FREE_MS = 2, ALIGNMENT = 16 };

static char heap[256 << 20] __attribute__((aligned(ALIGNMENT)));
static _Atomic size_t used;
static _Atomic unsigned long calls;

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static unsigned long slow_every(void)
{
    const char *text = getenv("SLOW_EVERY");
    return text ? strtoul(text, NULL, 10) : 0;
}

/* Its size stands in front of a block. */
static size_t *size_of(void *p)
{
    return (size_t *)p - 2;
}

static void *block_cut(size_t size, size_t alignment)
{
    size_t gross = size + alignment + 2 * ALIGNMENT;
    size_t at = atomic_fetch_add(&used, (gross + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
    if (size > sizeof(heap) || at + gross > sizeof(heap)) {
        errno = ENOMEM;
        return NULL;
    }
    char *p = heap + at + ALIGNMENT;
    p += -(size_t)p & (alignment - 1);
    *size_of(p) = size;
    return p;
}

EXPORT void *malloc(size_t size)
{
    unsigned long every = slow_every();
    if (size == SLOW_MALLOC && every > 0 && (atomic_fetch_add(&calls, 1) + 1) % every == 0)
        sleep_ms(MALLOC_MS);
    return block_cut(size, ALIGNMENT);
}

EXPORT void free(void *p)
{
    if (p != NULL && *size_of(p) == SLOW_FREE)
        sleep_ms(FREE_MS);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return block_cut(count * size, ALIGNMENT);
}

EXPORT void *realloc(void *p, size_t size)
{
    void *moved = block_cut(size, ALIGNMENT);
    if (p != NULL && moved != NULL)
        memcpy(moved, p, *size_of(p) < size ? *size_of(p) : size);
    return moved;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return block_cut(size, alignment);
}

EXPORT int posix_memalign(void **p, size_t alignment, size_t size)
{
    *p = block_cut(size, alignment);
    return *p ? 0 : ENOMEM;
}
