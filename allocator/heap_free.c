/*
 * Freeing: checks of what the program passes in, merging with free neighbours, and what becomes of
 * a span whose last block goes.
 */
#include "heap_inner.h"
#if SPAN_FAST
#include "deferred_list.h"
#else
/* Whether nothing but what is merged later was left of a span: nothing is. */
static inline bool heap_reset_span(struct heap *heap, struct span *span)
{
    (void)heap, (void)span;
    return false;
}
#endif

#include <string.h>

_Noreturn void heap_block_is_freed(void *p, enum misuse_caller caller)
{
    misuse_abort(caller, p, caller == IN_FREE ? "double free" : "used after it was freed");
}

_Noreturn void heap_block_is_wrong(const struct block *block, void *p, enum misuse_caller caller)
{
    if (block_magic_is_freed(block_magic(block)))
        heap_block_is_freed(p, caller);
    misuse_abort(caller, p, "not a block of ours, or its header was overwritten");
}

struct block *heap_block_checked(void *p, enum block_magic magic, enum misuse_caller caller)
{
    if ((uintptr_t)p % ALIGNMENT)
        misuse_abort(caller, p, "misaligned pointer, not from malloc");
    struct block *block = block_from_payload(p);
    if (block_magic(block) != magic)
        heap_block_is_wrong(block, p, caller);
    struct span *span = block_owner(block);
    if (!block_owner_is_possible(block))
        misuse_abort(caller, p, "not a block of ours, or its header was overwritten");
    size_t room = (size_t)((char *)span_end(span) - (char *)block);
    if (block_is_free(block) || !span_holds(span, block) || block_size(block) < BLOCK_MIN ||
        block_size(block) > room)
        misuse_abort(caller, p, "header was overwritten");
    struct block *next = block_after(block);
    if (next != span_end(span) && block_prev_is_free(next))
        misuse_abort(caller, p, "block behind it was overwritten");
    return block;
}

struct block *block_before_checked(struct span *span, struct block *block)
{
    size_t room = (size_t)((char *)block - (char *)span_first_block(span));
    size_t size = block_size_before(block);
    if (size > room || size < BLOCK_MIN || size % ALIGNMENT ||
        !block_is_free(block_before(block)) || block_size(block_before(block)) != size)
        misuse_abort(span_caller(span), block_payload(block),
                     "free block in front of it was overwritten");
    return block_before(block);
}

void block_coalesce(struct span *span, struct block *block)
{
    size_t size = block_size(block);
    bool prev_used = !block_prev_is_free(block);
    struct block *next = block_after(block);
    /* Freed in its own right first: a second free of it meets the mark, whatever it is part of. */
    block_make_free(block, span, size, prev_used);
    if (next != span_end(span) && block_is_free(next)) {
        span_unbin(span, next);
        size += block_size(next);
        block_set_free_size(block, size);
    }
    span_tell(span, block_at(block, size), false);
    if (prev_used) {
        bins_put(&span->bins, bin_of(size), block);
    } else {
        block = block_before_checked(span, block);
        span_rebin(span, block, size + block_size(block));
    }
}

void block_cut(struct span *span, struct block *block, size_t gross)
{
    size_t end = (size_t)((char *)block - (char *)span) + gross;
    if (end > BLOCK_DISTANCE_MAX - BLOCK_HEADER)
        return; /* no block can be there */
    size_t rest = block_size(block) - gross;
    struct block *next = block_after(block);
    if (next != span_end(span) && block_is_free(next)) {
        span_unbin(span, next);
        rest += block_size(next);
    } else if (rest < BLOCK_MIN) {
        return;
    }
    block_set_size(block, gross);
    struct block *cut = block_after(block);
    span_bin(span, cut, rest);
    span_tell(span, block_at(cut, rest), false);
}

void heap_keep_span(struct heap *heap, struct span *span)
{
    heap_unindex(heap, span);
    heap_unshare(heap, span);
    span_cache_keep(&heap->spans, span);
}

/* Whether a span whose last block is freed was returned to the system with that block in it. */
static bool heap_return_span(struct heap *heap, struct span *span)
{
    if (span->blkcount > 1 || span_cache_wants(&heap->spans, span))
        return false;
    heap_unindex(heap, span);
    heap_unshare(heap, span);
    if (!span_unmap(&heap->spans, span))
        return false;
    span_cache_return_excess(&heap->spans);
    return true;
}

void heap_release(struct heap *heap, struct block *block)
{
    struct span *span = block_owner(block);
    if (heap_return_span(heap, span))
        return; /* no poison: the pages are gone, and writing would have faulted them in */
    if (BUILD_POISONS)
        memset(block_payload(block), BLOCK_POISON, block_payload_size(block));
    block_coalesce(span, block);
    span->blkcount--;
    if (span->blkcount == 0)
        heap_keep_span(heap, span);
    else if (!heap_reset_span(heap, span))
        heap_index(heap, span);
}

void heap_free(struct heap *heap, void *p)
{
    heap->spans.caller = IN_FREE;
    struct block *block = heap_block_checked(p, BLOCK_MAGIC_USED, IN_FREE);
    heap->taken--;
    heap_release(heap, block);
}

size_t heap_usable_size(void *p)
{
    return block_payload_size(heap_block_checked(p, BLOCK_MAGIC_USED, IN_USABLE_SIZE));
}
