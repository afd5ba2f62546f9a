/*
 * Shared spans: one that fits twice into such a span goes first to one of a few of them, unless it
 * is to be zero or was made larger. Large blocks that lie in one together leave one empty span, so
 * that a cache of one span serves all that come and go together.
 */
#include "heap_inner.h"

struct block *heap_find_shared(const struct heap *heap, size_t gross)
{
    struct block *block = NULL;
    for (int i = 0; i < HEAP_SHARED_MAX && !block; i++)
        if (heap->shared[i])
            block = bins_find(&heap->shared[i]->bins, gross);
    return block;
}

/* What a larger block left in the cache waits for the next one. */
struct block *heap_map_shared(struct heap *heap, size_t gross)
{
    int i = 0;
    while (i < HEAP_SHARED_MAX && heap->shared[i])
        i++;
    if (i == HEAP_SHARED_MAX)
        return NULL;
    struct block *block = span_cache_find(&heap->spans, gross);
    if (block && block_owner(block)->size <= HEAP_SHARED_BYTES) {
        heap->shared[i] = block_owner(block);
        span_cache_take(&heap->spans, heap->shared[i], SPAN_SHARED);
        return block;
    }
    struct span *span = heap_adopt(heap, span_cache_map(&heap->spans, HEAP_SHARED_BYTES));
    if (!span)
        return NULL;
    span->kind = SPAN_SHARED;
    span_fill(span);
    heap->shared[i] = span;
    return span_first_block(span);
}

void heap_unshare(struct heap *heap, const struct span *span)
{
    for (int i = 0; i < HEAP_SHARED_MAX; i++)
        if (heap->shared[i] == span)
            heap->shared[i] = NULL;
}
