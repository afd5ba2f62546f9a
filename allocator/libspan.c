/*
 * The public functions: argument checks and errno, nothing else. Memory comes from the one arena of
 * libspan, or through the thread's cache in libspan-fast.
 */
#include "build.h" /* first: see there */

#include "check.h"
#include "libspan.h"
#include "os.h"
#if SPAN_FAST
#include "cached.h"
#else
#include "uncached.h"
#endif

#include <errno.h>

void *span_malloc(size_t size)
{
    return memory_allocate(size);
}

void span_free(void *p)
{
    if (p)
        memory_free(p);
}

void span_free_sized(void *p, size_t size)
{
    if (p)
        memory_free_sized(p, size);
}

void span_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    if (p)
        memory_free_aligned_sized(p, alignment, size);
}

static bool product_fits(size_t count, size_t size, size_t *product)
{
    if (!__builtin_mul_overflow(count, size, product))
        return true;
    errno = ENOMEM;
    return false;
}

void *span_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!product_fits(count, size, &bytes))
        return NULL;
    return memory_allocate_zeroed(bytes);
}

void *span_realloc(void *p, size_t size)
{
    if (!p)
        return span_malloc(size);
    if (size == 0) {
        span_free(p);
        return NULL;
    }
    return memory_resize(p, size);
}

void *span_reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    return product_fits(count, size, &bytes) ? span_realloc(p, bytes) : NULL;
}

static void *allocate_aligned(size_t alignment, size_t size)
{
    return memory_allocate_aligned(alignment, size);
}

static bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

int span_posix_memalign(void **memptr, size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    int kept = errno;
    void *p = allocate_aligned(alignment, size);
    errno = kept;
    if (!p)
        return ENOMEM;
    *memptr = p;
    return 0;
}

void *span_aligned_alloc(size_t alignment, size_t size)
{
    if (is_power_of_two(alignment))
        return allocate_aligned(alignment, size);
    errno = EINVAL;
    return NULL;
}

void *span_memalign(size_t alignment, size_t size)
{
    size_t rounded = ALIGNMENT;
    while (rounded < alignment && rounded <= BLOCK_REQUEST_MAX)
        rounded *= 2;
    return allocate_aligned(rounded, size);
}

void *span_valloc(size_t size)
{
    return allocate_aligned(os_page_size(), size);
}

void *span_pvalloc(size_t size)
{
    size_t mask = os_page_size() - 1;
    if (size > SIZE_MAX - mask) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate_aligned(os_page_size(), (size + mask) & ~mask);
}

size_t span_malloc_usable_size(void *p)
{
    return p ? memory_usable_size(p) : 0;
}

unsigned span_check(void)
{
    char report[CHECK_REPORT_MAX];
    unsigned faults = arenas_check(report);
    if (faults)
        check_tell(faults, report);
    return faults;
}

const char *span_version(void)
{
    return "span " SPANBENCH_VERSION;
}
