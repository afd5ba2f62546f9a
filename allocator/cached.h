/*
 * What the public functions of libspan-fast call: the thread's cache first, then an arena. The
 * usual way through malloc and free is inline, so that they need not hand a call on. Errors are
 * those of heap.h.
 */
#ifndef ALLOCATOR_CACHED_H
#define ALLOCATOR_CACHED_H

#include "own_cache.h"

void *memory_allocate_zeroed(size_t request);
void *memory_allocate_aligned(size_t align, size_t request);
void *memory_resize(void *p, size_t request);
size_t memory_usable_size(void *p);

/* What to do where the cache has not what it takes. */
void *cached_allocate_slowly(size_t request);
void cached_free_slowly(void *p);
void cached_free_with_delay(struct thread_cache *cache, void *p);

static inline void *memory_allocate(size_t request)
{
    if (__builtin_expect(request <= CACHE_REQUEST_MAX, 1)) {
        struct thread_cache *cache = own_cache;
        struct cache_class *class = cache_class_for(cache, request);
        if (__builtin_expect(class->count && !cache_delays(cache), 1))
            return cache_take(cache, class);
    }
    return cached_allocate_slowly(request);
}

/* Frees without delay. */
static inline void cached_free_now(struct thread_cache *cache, void *p)
{
    struct block *block = block_from_payload(p);
    size_t gross = block_tag_size(block);
    if (__builtin_expect(block_magic(block) == BLOCK_MAGIC_USED && cache_can_hold(gross), 1)) {
        struct cache_class *class = cache_class_of(cache, gross);
        if (__builtin_expect(class->count < class->limit, 1)) {
            cache_put(cache, class, block);
            return;
        }
    }
    cached_free_slowly(p);
}

static inline void memory_free(void *p)
{
    struct thread_cache *cache = own_cache;
    if (__builtin_expect(!cache_delays(cache), 1))
        cached_free_now(cache, p);
    else
        cached_free_with_delay(cache, p);
}

/* A block knows its size and alignment better than its owner. */
static inline void memory_free_sized(void *p, size_t size)
{
    (void)size;
    memory_free(p);
}

static inline void memory_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    memory_free(p);
}

#endif
