/*
 * Freeing: checks of what the program passes in, merging with free neighbours, and what becomes of
 * a span whose last block goes.
 */
#include "heap_parts.h"

#include <string.h>

_Noreturn void block_is_wrong(const struct block *block, void *p, const char *function)
{
    enum block_magic magic = block_magic(block);
    if (magic != BLOCK_MAGIC_FREE && magic != BLOCK_MAGIC_FRONT && magic != BLOCK_MAGIC_LOOSE)
        misuse_abort(function, p, "not a block of ours, or its header was overwritten");
    bool frees = strcmp(function, "free") == 0;
    misuse_abort(function, p, frees ? "double free" : "used after it was freed");
}

struct block *heap_block_checked(void *p, enum block_magic magic, const char *function)
{
    if ((uintptr_t)p % ALIGNMENT)
        misuse_abort(function, p, "misaligned pointer, not from malloc");
    struct block *block = block_from_payload(p);
    if (block_magic(block) != magic)
        block_is_wrong(block, p, function);
    struct span *span = block_owner(block);
    if (!block_owner_is_possible(block))
        misuse_abort(function, p, "not a block of ours, or its header was overwritten");
    size_t room = (size_t)((char *)span_end(span) - (char *)block);
    if (block_is_free(block) || !span_holds(span, block) || block_size(block) < BLOCK_MIN ||
        block_size(block) > room)
        misuse_abort(function, p, "header was overwritten");
    struct block *next = block_after(block);
    if (next != span_end(span) && block_prev_is_free(next))
        misuse_abort(function, p, "block behind it was overwritten");
    return block;
}

struct block *block_before_checked(struct span *span, struct block *block, const char *function)
{
    size_t room = (size_t)((char *)block - (char *)span_first_block(span));
    size_t size = block_size_before(block);
    if (size > room || size < BLOCK_MIN || size % ALIGNMENT ||
        !block_is_free(block_before(block)) || block_size(block_before(block)) != size)
        misuse_abort(function, block_payload(block), "free block in front of it was overwritten");
    return block_before(block);
}

/* Merges a block that was just freed with its free neighbours and puts the result into its bin. */
static void block_coalesce(struct span *span, struct block *block, const char *function)
{
    size_t size = block_size(block);
    bool prev_used = !block_prev_is_free(block);
    struct block *next = block_after(block);
    /* Freed in its own right first: a second free of it meets the mark, whatever it is part of. */
    block_make_free(block, span, size, prev_used);
    if (next != span_end(span) && block_is_free(next)) {
        block_unbin(span, next, function);
        size += block_size(next);
    }
    if (prev_used) {
        block_bin(span, block, size);
    } else {
        block = block_before_checked(span, block, function);
        block_rebin(span, block, size + block_size(block), function);
    }
    block_tell_next(span, block, false);
}

void block_cut(struct span *span, struct block *block, size_t gross, const char *function)
{
    size_t end = (size_t)((char *)block - (char *)span) + gross;
    if (end > BLOCK_DISTANCE_MAX - BLOCK_HEADER)
        return; /* no block can be there */
    size_t rest = block_size(block) - gross;
    struct block *next = block_after(block);
    if (next != span_end(span) && block_is_free(next)) {
        block_unbin(span, next, function);
        rest += block_size(next);
    } else if (rest < BLOCK_MIN) {
        return;
    }
    block_set_size(block, gross);
    struct block *cut = block_after(block);
    block_bin(span, cut, rest);
    block_tell_next(span, cut, false);
}

/* Whether the span was returned to the system with the block, its last one, in it. */
static bool heap_return_span(struct heap *heap, struct span *span)
{
    if (span->blkcount > 1 || span_is_worth_keeping(&heap->spans, span))
        return false;
    heap_unfile(heap, span);
    heap_unshare(heap, span);
    if (!span_unmap(&heap->spans, span))
        return false;
    spans_return_excess(&heap->spans);
    return true;
}

/* The blocks need not be looked at: the span is filled anew. */
void heap_empty_span(struct heap *heap, struct span *span)
{
    heap_forget_loose(heap, span);
    heap_unfile(heap, span);
    heap_unshare(heap, span);
    if (!span_is_worth_keeping(&heap->spans, span) && span_unmap(&heap->spans, span))
        return;
    memset(&span->bins, 0, sizeof span->bins);
    span->blkcount = 0;
    span_fill(span);
    heap_keep_span(heap, span);
}

void heap_release(struct heap *heap, struct block *block, const char *function)
{
    struct span *span = block_owner(block);
    if (heap_return_span(heap, span))
        return; /* no poison: the pages are gone, and writing would have faulted them in */
    if (BUILD_POISONS)
        memset(block_payload(block), BLOCK_POISON, block_payload_size(block));
    block_coalesce(span, block, function);
    span->blkcount--;
    if (span->blkcount == 0)
        heap_keep_span(heap, span);
    else if (span->blkcount == span->loose_count)
        heap_empty_span(heap, span);
    else
        heap_file(heap, span);
}

void heap_free(struct heap *heap, void *p, const char *function)
{
    struct block *block = heap_block_checked(p, BLOCK_MAGIC_USED, function);
    heap->taken--;
    heap_release(heap, block, function);
}
