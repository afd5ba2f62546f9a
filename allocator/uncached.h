/* What the public functions of libspan call: its one arena. Errors are those of heap.h. */
#ifndef ALLOCATOR_UNCACHED_H
#define ALLOCATOR_UNCACHED_H

#include "arena.h"

static inline void *memory_allocate(size_t request)
{
    return arena_allocate(arenas, request);
}

static inline void *memory_allocate_zeroed(size_t request)
{
    return arena_allocate_zeroed(arenas, request);
}

static inline void *memory_allocate_aligned(size_t align, size_t request)
{
    return arena_allocate_aligned(arenas, align, request);
}

static inline void memory_free(void *p)
{
    arena_free(p);
}

static inline void *memory_resize(void *p, size_t request)
{
    return arena_resize(p, request);
}

static inline size_t memory_usable_size(void *p)
{
    return arena_usable_size(p);
}

#endif
