/*
 * Loose blocks: freed many at a time, and merged with their neighbours only when the heap finds no
 * other memory, or never, if their whole span becomes empty before.
 */
#include "heap_parts.h"

#include <string.h>

enum { HEAP_PREFETCH = 8 }; /* blocks ahead; arbitrary, a cache miss is as long as some frees */

/* Makes a block of ours loose. */
static void heap_loosen(struct heap *heap, struct span *span, struct block *block)
{
    if (!span->loose)
        heap_note_loose(heap, span);
    block_mark(block, BLOCK_MAGIC_LOOSE);
    block->next = span->loose;
    span->loose = block;
    span->loose_count++;
    if (span->loose_count == span->blkcount)
        heap_empty_span(heap, span);
}

size_t heap_free_run(struct heap *heap, void **payloads, size_t count, const char *function)
{
    size_t others = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + HEAP_PREFETCH < count)
            __builtin_prefetch(block_from_payload(payloads[i + HEAP_PREFETCH]));
        struct block *block = block_from_payload(payloads[i]);
        if (block_magic(block) != BLOCK_MAGIC_FRONT || !block_owner_is_possible(block))
            block_is_wrong(block, payloads[i], function);
        struct span *span = block_owner(block);
        if (span->heap == heap)
            heap_loosen(heap, span, block);
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
        misuse_abort("free", block_payload(block), "header was overwritten");
    return block_after(block);
}

/* Whether the block becomes part of a free one in a sweep. */
static bool block_is_swept(const struct block *block)
{
    return block_is_free(block) || block_magic(block) == BLOCK_MAGIC_LOOSE;
}

/* Merges all loose blocks of a span by walking over the whole of it: the bins are made anew. */
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
            block_bin(span, start, (size_t)((char *)block - (char *)start));
            block_tell_next(span, start, false);
        }
        for (; block != span_end(span) && !block_is_swept(block); span->blkcount++)
            block = swept_after(span, block);
    }
}

void heap_merge_loose(struct heap *heap)
{
    struct span *span = heap->loose;
    struct block *block = span->loose;
    bool sweep = span->loose_count >= span->blkcount / HEAP_SWEEP_SHARE;
    heap_forget_loose(heap, span);
    if (sweep) {
        span_sweep(span);
        heap_file(heap, span);
        return;
    }
    while (block) {
        struct block *next = block->next;
        heap_block_checked(block_payload(block), BLOCK_MAGIC_LOOSE, "free");
        heap_release(heap, block, "free");
        block = next;
    }
}
