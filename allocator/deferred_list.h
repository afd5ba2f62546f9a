/*
 * The lists behind deferred coalescing (deferred.h): which spans have deferred blocks, and the span
 * that has no others. Beneath the heap, which asks about such a span whenever it frees a block.
 */
#ifndef ALLOCATOR_DEFERRED_LIST_H
#define ALLOCATOR_DEFERRED_LIST_H

#include "heap_inner.h"

/* Puts the span into the list of those that have deferred blocks. */
static inline void deferred_note(struct heap *heap, struct span *span)
{
    span->deferred_prev = NULL;
    span->deferred_next = heap->deferred;
    if (heap->deferred)
        heap->deferred->deferred_prev = span;
    heap->deferred = span;
}

/* Takes the span out of that list, if it is there, and forgets which of its blocks are deferred. */
static inline void deferred_forget(struct heap *heap, struct span *span)
{
    if (!span->deferred)
        return;
    if (span->deferred_next)
        span->deferred_next->deferred_prev = span->deferred_prev;
    if (span->deferred_prev)
        span->deferred_prev->deferred_next = span->deferred_next;
    else
        heap->deferred = span->deferred_next;
    span->deferred = NULL;
    span->deferred_count = 0;
}

/* Whether all blocks of a span are deferred: it was made empty then, and cached or returned to the
   system. The blocks need not be looked at: the span is filled anew. */
static inline bool heap_reset_span(struct heap *heap, struct span *span)
{
    if (span->deferred_count != span->blkcount)
        return false;
    deferred_forget(heap, span);
    heap_unindex(heap, span);
    if (!span_cache_wants(&heap->spans, span) && span_unmap(&heap->spans, span))
        return true;
    span->blkcount = 0;
    span_fill(span);
    span_cache_keep(&heap->spans, span);
    return true;
}

#endif
