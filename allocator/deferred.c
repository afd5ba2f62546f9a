/* Freeing now and merging later: see deferred.h. */
#include "deferred.h"
#include "deferred_list.h"

#include <string.h>

static void block_defer(struct heap *heap, struct span *span, struct block *block)
{
    if (!span->deferred)
        deferred_note(heap, span);
    block_mark(block, BLOCK_MAGIC_DEFERRED);
    block->next = span->deferred;
    span->deferred = block;
    span->deferred_count++;
    heap_reset_span(heap, span);
}

size_t deferred_free_run(struct heap *heap, void **payloads, size_t count)
{
    size_t others = 0;
    heap->spans.caller = IN_FREE;
    for (size_t i = 0; i < count; i++) {
        if (i + DEFERRED_PREFETCH < count)
            __builtin_prefetch(block_from_payload(payloads[i + DEFERRED_PREFETCH]));
        struct block *block = block_from_payload(payloads[i]);
        deferred_check(payloads[i]);
        struct span *span = block_owner(block);
        if (span->heap == heap)
            block_defer(heap, span, block);
        else
            payloads[others++] = payloads[i];
    }
    heap->taken -= count - others;
    return others;
}

/* The block behind one that a sweep meets, and that nobody has looked at before. */
static struct block *swept_after(struct span *span, struct block *block)
{
    size_t room = (size_t)((char *)span_end(span) - (char *)block);
    if (block_size(block) < BLOCK_MIN || block_size(block) > room)
        misuse_abort(IN_FREE, block_payload(block), "header was overwritten");
    return block_after(block);
}

/* Whether the block becomes part of a free one in a sweep. */
static bool block_is_swept(const struct block *block)
{
    return block_is_free(block) || block_magic(block) == BLOCK_MAGIC_DEFERRED;
}

/* Merges all deferred blocks of a span by walking over the whole of it: the bins are made anew. */
static void span_sweep(struct span *span)
{
    struct block *block = span_first_block(span);
    memset(&span->bins, 0, sizeof span->bins);
    span->blkcount = 0;
    while (block != span_end(span)) {
        struct block *start = block;
        while (block != span_end(span) && block_is_swept(block))
            block = swept_after(span, block);
        if (block != start) {
            span_bin(span, start, (size_t)((char *)block - (char *)start));
            span_tell(span, block, false);
        }
        for (; block != span_end(span) && !block_is_swept(block); span->blkcount++)
            block = swept_after(span, block);
    }
}

/* Merges the deferred blocks of a span one by one, the first of them `block`. */
static void span_merge(struct span *span, struct block *block)
{
    while (block) {
        struct block *next = block->next; /* merging links it anew */
        heap_block_checked(block_payload(block), BLOCK_MAGIC_DEFERRED, IN_FREE);
        if (block_owner(block) != span) /* the link to it was overwritten */
            misuse_abort(IN_FREE, block_payload(block), "free block was written to");
        block_coalesce(span, block);
        span->blkcount--;
        block = next;
    }
}

/* Merges the deferred blocks of one span with their neighbours. The span has others, or it would
   have been made empty before. */
static void merge_one_span(struct heap *heap)
{
    struct span *span = heap->deferred;
    struct block *block = span->deferred;
    bool sweep = span->deferred_count >= span->blkcount / DEFERRED_SWEEP_SHARE;
    deferred_forget(heap, span);
    if (sweep)
        span_sweep(span);
    else
        span_merge(span, block);
    heap_index(heap, span);
}

struct block *deferred_merge_until_found(struct heap *heap, size_t gross)
{
    struct block *block;
    do {
        merge_one_span(heap);
        block = heap_find(heap, gross);
    } while (!block && heap->deferred);
    return block;
}
