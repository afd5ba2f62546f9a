/*
 * Empty spans that are kept: which of them serves a request, and how it is made to fit. How many
 * are kept is span_kept.c's to decide.
 */
#include "heap_parts.h"

#include <string.h>

void heap_unshare(struct heap *heap, const struct span *span)
{
    for (int i = 0; i < HEAP_SHARED_MAX; i++)
        if (heap->shared[i] == span)
            heap->shared[i] = NULL;
}

void heap_keep_span(struct heap *heap, struct span *span)
{
    if (span->kind == SPAN_DEDICATED)
        span_set_kind(&heap->spans, span, SPAN_ORDINARY); /* counts for the limit no longer */
    while (spans_are_too_many(&heap->spans, span->size) && spans_evict(&heap->spans, span->size))
        continue;
    heap_unfile(heap, span);
    heap_unshare(heap, span);
    if (BUILD_CUTS_KEPT)
        span = span_merge_kept(&heap->spans, span);
    span_keep(&heap->spans, span);
}

struct block *heap_find_kept(const struct heap *heap, size_t gross)
{
    struct block *best = NULL;
    for (struct span *span = heap->spans.kept; span; span = span->filed[0].next) {
        struct block *block = span_first_block(span);
        size_t size = block_size(block);
        /* Blocks are cut from the end, which must be in reach of the span's start. */
        bool serves = size >= gross && size - gross <= BLOCK_DISTANCE_MAX - SPAN_HEADER;
        if (serves && (!best || size < block_size(best)))
            best = block;
    }
    return best;
}

/* A few small blocks must not hold what a large one left. */
void heap_use_kept(struct heap *heap, struct span *span, size_t size)
{
    span_unkeep(&heap->spans, span, SPAN_ORDINARY);
    if (span->size / 2 <= size)
        return;
    block_unbin(span, span_first_block(span), "malloc");
    if (BUILD_CUTS_KEPT) {
        span_split(&heap->spans, span, size);
        return;
    }
    span_trim(&heap->spans, span, size);
    span_fill(span);
}

/* The largest kept span that is smaller than `size` bytes, but no less than half of them. */
static struct span *heap_find_stretchable(const struct heap *heap, size_t size)
{
    struct span *best = NULL;
    for (struct span *span = heap->spans.kept; span; span = span->filed[0].next)
        if (span->size < size && span->size >= size / 2 && (!best || span->size > best->size))
            best = span;
    return best;
}

struct block *heap_stretch_kept(struct heap *heap, size_t size, enum span_kind kind)
{
    struct span *span = heap_find_stretchable(heap, size);
    if (!span)
        return NULL;
    int kept_errno = errno;
    span_unkeep(&heap->spans, span, kind);
    struct span *stretched = span_remap(&heap->spans, span, size);
    if (!stretched) {
        errno = kept_errno;
        span_keep(&heap->spans, span);
        return NULL;
    }
    memset(&stretched->bins, 0, sizeof stretched->bins);
    span_fill(stretched);
    return span_first_block(stretched);
}

/* Where spans are not cut, a kept one waits for the next block of its size: a smaller one would
   have it mapped again. */
struct block *heap_dedicate_kept(struct heap *heap, size_t gross)
{
    struct block *block = heap_find_kept(heap, gross);
    if (!block)
        return heap_stretch_kept(heap, span_size_for(gross), SPAN_DEDICATED);
    if (!BUILD_CUTS_KEPT && block_size(block) / 2 > gross)
        return NULL;
    struct span *span = block_owner(block);
    size_t size = span_size_for(gross);
    span_unkeep(&heap->spans, span, SPAN_DEDICATED);
    if (BUILD_CUTS_KEPT && span->size >= size + SPAN_CUT_LEAST) {
        block_unbin(span, block, "malloc");
        span_split(&heap->spans, span, size);
    }
    return block;
}
