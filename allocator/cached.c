/* What is rare in malloc and free, and the rest of the family: see cached.h. */
#include "cached.h"
#include "inner.h"

#include <errno.h>
#include <string.h>

enum {
    RESIZE_WASTE_SHARE = 4, /* a block of which more than this part would be unused is left */
    RESIZE_EXTRA_SHARE = 8, /* what a large block that grows is given beyond the request */
};

/* Looks at all blocks whose free is delayed. */
static void free_delayed(struct thread_cache *cache)
{
    for (unsigned i = 0; i < CACHE_DELAY; i++) {
        void *p = cache->delayed[i];
        cache->delayed[i] = NULL;
        if (p)
            cached_free_now(cache, p);
    }
}

void *cached_allocate_slowly(size_t request)
{
    struct thread_cache *cache = own_cache_open();
    if (!cache || request > CACHE_REQUEST_MAX)
        return arena_allocate(own_arena(), request);
    /* A block that was freed twice must not be handed out before that is noticed. */
    if (cache_delays(cache))
        free_delayed(cache);
    cache->frees = 0;
    cache->is_draining = false;
    struct cache_class *class = cache_class_for(cache, request);
    return class->count ? cache_take(cache, class) : cache_refill(cache, class);
}

void *memory_allocate_zeroed(size_t request)
{
    if (request > CACHE_REQUEST_MAX)
        return arena_allocate_zeroed(own_arena(), request);
    void *p = memory_allocate(request);
    return p ? memset(p, 0, request) : NULL;
}

void *memory_allocate_aligned(size_t align, size_t request)
{
    if (align <= ALIGNMENT)
        return memory_allocate(request);
    if (align > INNER_ALIGN_MAX || request > CACHE_REQUEST_MAX)
        return arena_allocate_aligned(own_arena(), align, request);
    void *p = memory_allocate(inner_request(align, request));
    return p ? inner_make(p, align) : NULL;
}

/* Frees what the fast path does not: blocks that are large or the first of their size, inner ones,
   and mistakes. */
void cached_free_slowly(void *p)
{
    struct block *block = inner_freed(p);
    size_t gross = block_size(block);
    struct thread_cache *cache = cache_can_hold(gross) ? own_cache_open() : NULL;
    struct cache_class *class = cache ? cache_class_of(cache, gross) : NULL;
    if (class && (class->count < class->limit || cache_make_room(cache, class)))
        cache_put(cache, class, block);
    else
        arena_free(block_payload(block));
}

/* Puts a payload among the delayed ones, and frees the oldest of them. */
static inline void free_later(struct thread_cache *cache, void *p)
{
    __builtin_prefetch(block_from_payload(p), 1);
    void **place = &cache->delayed[cache->turn % CACHE_DELAY];
    void *oldest = *place;
    *place = p;
    if (oldest)
        cached_free_now(cache, oldest);
}

/* Out of line, so that the usual way through cached_free_with_delay saves no registers for it. */
static __attribute__((noinline)) void free_later_and_look(struct thread_cache *cache, void *p)
{
    free_later(cache, p);
    if (!cache_is_left_over(cache))
        return;
    free_delayed(cache);
    cache_drain(cache);
}

void cached_free_with_delay(struct thread_cache *cache, void *p)
{
    if (__builtin_expect(++cache->turn % CACHE_LOOK == 0, 0))
        free_later_and_look(cache, p);
    else
        free_later(cache, p);
}

/* The same contents in a new block. */
static void *move(void *p, size_t kept, size_t request)
{
    void *moved = memory_allocate(request);
    if (!moved)
        return NULL;
    memcpy(moved, p, kept < request ? kept : request);
    memory_free(p);
    return moved;
}

/* What grew once grows again: more than was asked for makes copies rare. */
static void *grow(void *p, size_t request)
{
    int saved_errno = errno;
    void *resized = arena_resize(p, request + request / RESIZE_EXTRA_SHARE);
    if (resized)
        return resized;
    errno = saved_errno;
    return arena_resize(p, request);
}

void *memory_resize(void *p, size_t request)
{
    size_t offset;
    struct block *block = inner_block(p, &offset);
    heap_block_checked(block_payload(block), BLOCK_MAGIC_USED, IN_REALLOC);
    size_t size = block_payload_size(block) - offset;
    /* A block that is used for the most part stays: it may grow again. */
    if (request <= size && size - request <= size / RESIZE_WASTE_SHARE)
        return p;
    if (offset || (request <= CACHE_REQUEST_MAX && cache_can_hold(block_size(block))))
        return move(p, size, request);
    if (request > size && request <= BLOCK_REQUEST_MAX)
        return grow(p, request);
    return arena_resize(p, request);
}

size_t memory_usable_size(void *p)
{
    size_t offset;
    struct block *block = inner_block(p, &offset);
    return heap_usable_size(block_payload(block)) - offset;
}
