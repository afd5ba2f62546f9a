/*
 * Resizing: in place where the block or a free neighbour allows it; a block of a dedicated span
 * with its span; else by moving the contents.
 */
#include "heap_inner.h"

#include <assert.h>
#include <string.h>

/* Frees the end of a used block, if it is large enough to be one. */
static void block_shrink(struct span *span, struct block *block, size_t gross)
{
    size_t rest = block_size(block) - gross;
    if (rest < BLOCK_MIN)
        return;
    if (BUILD_POISONS)
        memset((char *)block + gross, BLOCK_POISON, rest);
    block_cut(span, block, gross);
}

/* Makes a used block larger by a free one behind it. NULL if there is not enough. */
static struct block *block_grow_behind(struct span *span, struct block *block, size_t gross)
{
    struct block *next = block_after(block);
    if (next == span_end(span) || !block_is_free(next))
        return NULL;
    size_t room = block_size(block) + block_size(next);
    if (room < gross)
        return NULL;
    span_unbin(span, next);
    block_set_size(block, room);
    span_tell(span, block_at(block, room), true);
    block_cut(span, block, gross);
    return block;
}

/*
 * Makes a used block larger by the free one in front of it (and one behind it), which is where
 * free space is in a span that is served from the end. The contents move towards the front, the
 * rest stays free in front of the block. NULL if there is not enough.
 */
static struct block *block_grow_before(struct span *span, struct block *block, size_t gross)
{
    if (!block_prev_is_free(block))
        return NULL;
    struct block *before = block_before_checked(span, block);
    struct block *next = block_after(block);
    bool takes_next = next != span_end(span) && block_is_free(next);
    size_t room = block_size(before) + block_size(block) + (takes_next ? block_size(next) : 0);
    if (room < gross)
        return NULL;
    size_t rest = block_rest(room, gross);
    if (takes_next)
        span_unbin(span, next);
    if (!rest)
        span_unbin(span, before);
    struct block *moved = block_at(before, rest);
    memmove(block_payload(moved), block_payload(block), block_payload_size(block));
    if (rest)
        span_rebin(span, before, rest);
    block_make_used(moved, span, room - rest, rest == 0);
    span_tell(span, block_at(before, room), true);
    return moved;
}

/* The same contents in a new block. */
static void *heap_move(struct heap *heap, struct block *block, size_t request)
{
    bool fresh;
    struct block *moved = heap_take_apart(heap, block_gross(request), &fresh);
    if (!moved)
        return NULL;
    size_t kept = block_payload_size(block);
    memcpy(block_payload(moved), block_payload(block), kept < request ? kept : request);
    heap->taken--;
    heap_release(heap, block);
    return block_payload(moved);
}

/* Makes the block of a dedicated span smaller and gives the pages behind it back. */
static void dedicated_trim(struct heap *heap, struct span *span, struct block *block, size_t gross)
{
    struct block *end = block_after(block);
    if (end != span_end(span)) {
        assert(block_is_free(end) && block_after(end) == span_end(span) && "one block a span");
        span_unbin(span, end);
        block_set_size(block, block_size(block) + block_size(end));
    }
    span_trim(&heap->spans, span, (size_t)((char *)block - (char *)span) + gross);
    block_set_size(block, (size_t)((char *)span_end(span) - (char *)block));
    block_shrink(span, block, gross);
}

/* Makes the block of a dedicated span smaller: its payload. */
static void *dedicated_shrink(struct heap *heap, struct block *block, size_t request)
{
    size_t gross = block_gross(request);
    int saved_errno = errno;
    /* A block that is no longer large goes to the others, or its span would hold only it. */
    void *moved = gross <= BIN_LARGE ? heap_move(heap, block, request) : NULL;
    if (moved)
        return moved;
    errno = saved_errno;
    dedicated_trim(heap, block_owner(block), block, gross);
    return block_payload(block);
}

/* Moves the block of a dedicated span to a cached one: to copy bytes is cheaper than to have pages
   faulted in. */
static struct block *dedicated_move(struct heap *heap, struct block *block, struct block *cached,
                                    size_t gross)
{
    span_cache_take(&heap->spans, block_owner(cached), SPAN_DEDICATED);
    struct block *moved = heap_carve(heap, cached, gross);
    memcpy(block_payload(moved), block_payload(block), block_payload_size(block));
    heap_release(heap, block);
    return moved;
}

/*
 * Makes the block of a dedicated span larger by enlarging the span: the system moves pages, not
 * bytes, so that a growing buffer is not copied each time. NULL if there is no memory; errno is
 * kept, for a copy may do.
 */
static struct block *dedicated_grow(struct heap *heap, struct span *span, struct block *block,
                                    size_t gross)
{
    int saved_errno = errno;
    size_t offset = (size_t)((char *)block - (char *)span);
    struct block *cached = span_cache_find(&heap->spans, gross);
    if (cached && block_size(cached) / 2 <= gross)
        return dedicated_move(heap, block, cached, gross);
    size_t size = span_size_for(offset - SPAN_HEADER + gross);
    struct span *moved = span_cache_remap(&heap->spans, span, size, size);
    if (!moved) {
        errno = saved_errno;
        return NULL;
    }
    memset(&moved->bins, 0, sizeof moved->bins); /* they named blocks where the span was */
    size_t front = offset - SPAN_HEADER;
    if (front)
        span_bin(moved, span_first_block(moved), front);
    block = block_at((struct block *)moved, offset);
    block_make_used(block, moved, (size_t)((char *)span_end(moved) - (char *)block), front == 0);
    block_cut(moved, block, gross);
    return block;
}

/* Makes a used block larger: its payload, elsewhere if need be. NULL without memory. */
static void *heap_enlarge(struct heap *heap, struct block *block, size_t request)
{
    struct span *span = block_owner(block);
    size_t gross = block_gross(request);
    struct block *grown = block_grow_behind(span, block, gross);
    if (!grown)
        grown = block_grow_before(span, block, gross);
    if (!grown && span->kind == SPAN_DEDICATED)
        grown = dedicated_grow(heap, span, block, gross);
    if (!grown)
        return heap_move(heap, block, request);
    heap_index(heap, block_owner(grown));
    return block_payload(grown);
}

void *heap_resize(struct heap *heap, void *p, size_t request)
{
    heap->spans.caller = IN_REALLOC;
    struct block *block = heap_block_checked(p, BLOCK_MAGIC_USED, IN_REALLOC);
    struct span *span = block_owner(block);
    if (!request_fits(request))
        return NULL;
    size_t gross = block_gross(request);
    if (gross > block_size(block))
        return heap_enlarge(heap, block, request);
    if (span->kind == SPAN_DEDICATED)
        return dedicated_shrink(heap, block, request);
    block_shrink(span, block, gross);
    heap_index(heap, span);
    return p;
}
