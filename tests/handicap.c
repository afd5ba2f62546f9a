/*
 * An allocator that is slower or fatter by a known amount, so that one can see whether what
 * measures it notices: `make build/release/loops-20/libspan-fast.so` is libspan-fast with these
 * functions before its own (handicap_names.ld); so is share-10/libspan-fast.so, and libspan.so in
 * either folder.
 *
 * HANDICAP_LOOPS=N: N iterations of an empty loop in each allocating call, a few cycles each.
 * HANDICAP_SHARE=N: 1/N more memory for each request than was asked for.
 */
#include "allocator/libspan.h"

#include <stdint.h>

#ifndef HANDICAP_LOOPS
#define HANDICAP_LOOPS 0
#endif
#ifndef HANDICAP_SHARE
#define HANDICAP_SHARE SIZE_MAX /* nobody's request has a part so small */
#endif

SPAN_API void *handicap_malloc(size_t size);
SPAN_API void *handicap_calloc(size_t count, size_t size);
SPAN_API void *handicap_realloc(void *p, size_t size);
SPAN_API void *handicap_reallocarray(void *p, size_t count, size_t size);
SPAN_API int handicap_posix_memalign(void **memptr, size_t alignment, size_t size);
SPAN_API void *handicap_aligned_alloc(size_t alignment, size_t size);
SPAN_API void *handicap_memalign(size_t alignment, size_t size);
SPAN_API void *handicap_valloc(size_t size);
SPAN_API void *handicap_pvalloc(size_t size);

/* Burns the time; the bytes to ask for instead of `request`. */
static size_t burdened(size_t request)
{
    for (int i = 0; i < HANDICAP_LOOPS; i++)
        __asm__ volatile("" : "+r"(i)); /* or the compiler would leave the loop out */
    size_t more = request / HANDICAP_SHARE;
    return more <= SIZE_MAX - request ? request + more : SIZE_MAX;
}

void *handicap_malloc(size_t size)
{
    return span_malloc(burdened(size));
}

void *handicap_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return span_calloc(count, size);
    return span_calloc(1, burdened(bytes));
}

/* What only frees allocates nothing. */
void *handicap_realloc(void *p, size_t size)
{
    return span_realloc(p, p && size == 0 ? 0 : burdened(size));
}

void *handicap_reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return span_reallocarray(p, count, size);
    return handicap_realloc(p, bytes);
}

int handicap_posix_memalign(void **memptr, size_t alignment, size_t size)
{
    return span_posix_memalign(memptr, alignment, burdened(size));
}

void *handicap_aligned_alloc(size_t alignment, size_t size)
{
    return span_aligned_alloc(alignment, burdened(size));
}

void *handicap_memalign(size_t alignment, size_t size)
{
    return span_memalign(alignment, burdened(size));
}

void *handicap_valloc(size_t size)
{
    return span_valloc(burdened(size));
}

void *handicap_pvalloc(size_t size)
{
    return span_pvalloc(burdened(size));
}
