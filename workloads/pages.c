/*
 * Memory from mmap with a count of what is mapped. It is no allocator: each call is a system call,
 * so callers take few and large pieces.
 */
#include "pages.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Room for the size in front of what is lent; keeps what is behind it on a cache line. */
enum { LENT_PREFIX = 64 };

static atomic_size_t mapped;

/* The system's own, for what is counted is what mmap makes of a size. */
static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t page_round(size_t bytes)
{
    return (bytes + page_size() - 1) & ~(page_size() - 1);
}

static bool size_is_sane(size_t bytes)
{
    if (bytes > 0 && bytes <= PTRDIFF_MAX - page_size())
        return true;
    errno = ENOMEM;
    return false;
}

void *pages_map(size_t bytes)
{
    if (!size_is_sane(bytes))
        return NULL;
    size_t size = page_round(bytes);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    atomic_fetch_add_explicit(&mapped, size, memory_order_relaxed);
    return p;
}

void *pages_grow(void *p, size_t old_bytes, size_t new_bytes)
{
    if (!size_is_sane(new_bytes))
        return NULL;
    size_t old_size = page_round(old_bytes);
    size_t new_size = page_round(new_bytes);
    if (new_size <= old_size)
        return p;
    void *moved = mremap(p, old_size, new_size, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return NULL;
    atomic_fetch_add_explicit(&mapped, new_size - old_size, memory_order_relaxed);
    return moved;
}

void pages_unmap(void *p, size_t bytes)
{
    if (p == NULL)
        return;
    munmap(p, page_round(bytes));
    atomic_fetch_sub_explicit(&mapped, page_round(bytes), memory_order_relaxed);
}

size_t pages_mapped(void)
{
    return atomic_load_explicit(&mapped, memory_order_relaxed);
}

void *pages_lend(void *opaque, size_t bytes)
{
    (void)opaque;
    size_t *p = bytes <= PTRDIFF_MAX ? pages_map(bytes + LENT_PREFIX) : NULL;
    if (p == NULL)
        return NULL;
    *p = bytes + LENT_PREFIX;
    return (char *)p + LENT_PREFIX;
}

void pages_return(void *opaque, void *p)
{
    (void)opaque;
    if (p == NULL)
        return;
    size_t *start = (size_t *)((char *)p - LENT_PREFIX);
    pages_unmap(start, *start);
}

bool pages_reserve_more(void **p, size_t *capacity, size_t element, size_t wanted)
{
    size_t target = wanted > *capacity * 2 ? wanted : *capacity * 2;
    size_t bytes;
    if (__builtin_mul_overflow(target, element, &bytes) || !size_is_sane(bytes)) {
        errno = ENOMEM;
        return false;
    }
    void *grown = *p ? pages_grow(*p, *capacity * element, bytes) : pages_map(bytes);
    if (grown == NULL)
        return false;
    *p = grown;
    *capacity = target;
    return true;
}
