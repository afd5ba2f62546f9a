/*
 * malloc and its family under their standard names, for libspan.so only: each is one jump to the
 * public function. All of the family must be here, or memory of two allocators would mix.
 */
#include "libspan.h"

SPAN_API void *malloc(size_t size);
SPAN_API void free(void *p);
SPAN_API void *calloc(size_t count, size_t size);
SPAN_API void *realloc(void *p, size_t size);
SPAN_API void *reallocarray(void *p, size_t count, size_t size);
SPAN_API int posix_memalign(void **memptr, size_t alignment, size_t size);
SPAN_API void *aligned_alloc(size_t alignment, size_t size);
SPAN_API void *memalign(size_t alignment, size_t size);
SPAN_API void *valloc(size_t size);
SPAN_API void *pvalloc(size_t size);
SPAN_API size_t malloc_usable_size(void *p);

void *malloc(size_t size)
{
    return span_malloc(size);
}

void free(void *p)
{
    span_free(p);
}

void *calloc(size_t count, size_t size)
{
    return span_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return span_realloc(p, size);
}

void *reallocarray(void *p, size_t count, size_t size)
{
    return span_reallocarray(p, count, size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    return span_posix_memalign(memptr, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return span_aligned_alloc(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
    return span_memalign(alignment, size);
}

void *valloc(size_t size)
{
    return span_valloc(size);
}

void *pvalloc(size_t size)
{
    return span_pvalloc(size);
}

size_t malloc_usable_size(void *p)
{
    return span_malloc_usable_size(p);
}
