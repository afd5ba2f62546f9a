/*
 * Deferred coalescing: blocks that many are freed of at a time are marked BLOCK_MAGIC_DEFERRED,
 * linked to their span and counted. They are merged with their neighbours when the heap would else
 * cut a block larger than DEFERRED_WORTH or grow; or never, if all other blocks of their span are
 * freed as well.
 */
#ifndef ALLOCATOR_DEFERRED_H
#define ALLOCATOR_DEFERRED_H

#include "heap_inner.h"

enum {
    /* Rather than cutting a block larger than this, deferred blocks are merged: such a block may be
       memory that was never touched. A page. */
    DEFERRED_WORTH = 4096,
    /* A span is swept if one used block in so many is deferred: a step of a sweep costs about a
       tenth of what merging a single block does. */
    DEFERRED_SWEEP_SHARE = 8,
    /* Blocks ahead that are fetched; arbitrary, a cache miss is as long as some frees. */
    DEFERRED_PREFETCH = 8,
};

/* Fatal unless p is the payload of a block that is marked BLOCK_MAGIC_CACHED, as far as its header
   tells. */
static inline void deferred_check(void *p)
{
    const struct block *block = block_from_payload(p);
    if (block_magic(block) != BLOCK_MAGIC_CACHED || !block_owner_is_possible(block))
        heap_block_is_wrong(block, p, IN_FREE);
}

/*
 * Frees those of `count` blocks that are the heap's, each of them marked BLOCK_MAGIC_CACHED; the
 * payloads of the others move to the front of the array. Their number. errno is kept.
 */
size_t deferred_free_run(struct heap *heap, void **payloads, size_t count);

/* Merges the deferred blocks of spans until a free block of at least `gross` bytes is found; NULL:
   all are merged, and there is none. */
struct block *deferred_merge_until_found(struct heap *heap, size_t gross);

/* As heap_find, but where that finds nothing or memory worth sparing, deferred blocks are merged.
 */
static inline struct block *heap_search(struct heap *heap, size_t gross)
{
    struct block *block = heap_find(heap, gross);
    if (!heap->deferred || (block && block_size(block) <= DEFERRED_WORTH))
        return block;
    return deferred_merge_until_found(heap, gross);
}

#endif
