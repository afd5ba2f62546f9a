/*
 * What the public functions of libspan call: its one arena, or what stands before that where the
 * program's mistakes are looked for. Errors are those of heap.h.
 */
#ifndef ALLOCATOR_UNCACHED_H
#define ALLOCATOR_UNCACHED_H

#include "verify.h"

static inline void *memory_allocate(size_t request)
{
    return verify_is_on ? verify_allocate(request) : arena_allocate(arenas, request);
}

static inline void *memory_allocate_zeroed(size_t request)
{
    return verify_is_on ? verify_allocate_zeroed(request) : arena_allocate_zeroed(arenas, request);
}

static inline void *memory_allocate_aligned(size_t align, size_t request)
{
    return verify_is_on ? verify_allocate_aligned(align, request)
                        : arena_allocate_aligned(arenas, align, request);
}

static inline void memory_free(void *p)
{
    if (verify_is_on)
        verify_free(p);
    else
        arena_free(p);
}

/* Without verification a block knows its size and alignment better than its owner. */
static inline void memory_free_sized(void *p, size_t size)
{
    if (verify_is_on)
        verify_free_sized(p, size);
    else
        arena_free(p);
}

static inline void memory_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    if (verify_is_on)
        verify_free_aligned_sized(p, alignment, size);
    else
        arena_free(p);
}

static inline void *memory_resize(void *p, size_t request)
{
    return verify_is_on ? verify_resize(p, request) : arena_resize(p, request);
}

static inline size_t memory_usable_size(void *p)
{
    return verify_is_on ? verify_usable_size(p) : arena_usable_size(p);
}

#endif
