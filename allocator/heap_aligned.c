/*
 * Allocating at a multiple: cut out of a larger block, or in a span of its own, mapped such that
 * the place is right.
 */
#include "heap_inner.h"
#include "os.h"

#include <assert.h>

/* Where in a used block an aligned one of `gross` bytes begins: as far back as possible. */
static struct block *aligned_place(struct block *block, size_t align, size_t gross)
{
    uintptr_t p = (uintptr_t)block + block_size(block) - gross + BLOCK_HEADER;
    return block_from_payload((void *)(p & ~(uintptr_t)(align - 1)));
}

/* Makes the first `front` bytes of a used block free, merged with a free block in front. */
static void block_free_front(struct span *span, struct block *block, size_t front)
{
    if (block_prev_is_free(block)) {
        block = block_before(block);
        span_rebin(span, block, block_size(block) + front);
        return;
    }
    span_bin(span, block, front);
}

/* The payload of a used block in a new span of its own, at a multiple of `align`; or NULL. */
static void *heap_map_aligned(struct heap *heap, size_t align, size_t gross)
{
    struct block *block;
    struct span *span = span_cache_map_aligned(&heap->spans, align, gross, &block);
    if (!span)
        return NULL;
    span->heap = heap;
    if (!block) {
        span_fill(span);
        if (!span_unmap(&heap->spans, span))
            heap_keep_span(heap, span);
        errno = ENOMEM;
        return NULL;
    }
    span_set_kind(&heap->spans, span, SPAN_DEDICATED);
    span->blkcount = 1;
    heap->taken++;
    size_t front = (size_t)((char *)block - (char *)span_first_block(span));
    span_bin(span, span_first_block(span), front);
    block_make_used(block, span, (size_t)((char *)span_end(span) - (char *)block), false);
    block_cut(span, block, gross);
    return block_payload(block);
}

void *heap_allocate_aligned(struct heap *heap, size_t align, size_t request)
{
    if (align <= ALIGNMENT)
        return heap_allocate(heap, request);
    heap->spans.caller = IN_MALLOC;
    if (!request_fits(align) || !request_fits(request) || !request_fits(align + request))
        return NULL;
    size_t gross = block_gross(request);
    if (align >= os_page_size() && gross + align + BLOCK_MIN > BIN_LARGE)
        return heap_map_aligned(heap, align, gross);
    /* Room for any misalignment and for a smallest block in front of it. */
    struct block *whole = heap_take(heap, gross + align + BLOCK_MIN);
    if (!whole)
        return NULL;
    struct span *span = block_owner(whole);
    struct block *block = aligned_place(whole, align, gross);
    size_t front = (size_t)((char *)block - (char *)whole);
    assert(front >= BLOCK_MIN && "room for it was asked for");
    block_make_used(block, span, block_size(whole) - front, false);
    block_free_front(span, whole, front);
    block_cut(span, block, gross);
    heap_index(heap, span);
    return block_payload(block);
}
