/* Allocate, free, resize, align: see heap.h for what, here for why. */
#include "heap.h"
#include "misuse.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int heap_filing_bin(const struct heap *heap, const struct span *span)
{
    if (span->dedicated || heap->spans.cached == span)
        return -1;
    return bins_highest(&span->bins);
}

/* Files the span under `bin`; -1: takes it out of the files. */
static void heap_file_under(struct heap *heap, struct span *span, int bin)
{
    if (bin == span->filed_bin)
        return;
    if (span->filed_bin >= 0) {
        if (span->filed_next)
            span->filed_next->filed_prev = span->filed_prev;
        if (span->filed_prev)
            span->filed_prev->filed_next = span->filed_next;
        else
            heap->filed[span->filed_bin] = span->filed_next;
        if (!heap->filed[span->filed_bin])
            heap->filed_map &= ~(UINT64_C(1) << span->filed_bin);
    }
    span->filed_bin = bin;
    if (bin < 0)
        return;
    span->filed_prev = NULL;
    span->filed_next = heap->filed[bin];
    if (span->filed_next)
        span->filed_next->filed_prev = span;
    heap->filed[bin] = span;
    heap->filed_map |= UINT64_C(1) << bin;
}

/* Files the span where it belongs; to be called after any change of its bins or its role. */
static void heap_file(struct heap *heap, struct span *span)
{
    heap_file_under(heap, span, heap_filing_bin(heap, span));
}

static struct block *heap_walk(struct span *span, size_t gross)
{
    for (int looked = 0; span && looked < HEAP_WALK_MAX; looked++, span = span->filed_next) {
        struct block *block = bins_find(&span->bins, gross);
        if (block)
            return block;
    }
    return NULL;
}

/* A free block of at least `gross` bytes in any filed span, or NULL. */
static struct block *heap_find(struct heap *heap, size_t gross)
{
    unsigned bin = bin_for(gross);
    uint64_t sufficient = heap->filed_map >> bin << bin;
    if (sufficient && gross <= BIN_LARGE)
        return bins_find(&heap->filed[__builtin_ctzl(sufficient)]->bins, gross);
    return heap_walk(heap->filed[bin_of(gross)], gross);
}

/* Bytes of the next ordinary span, if no block needs a larger one. */
static size_t heap_growth(const struct heap *heap)
{
    size_t size = heap->spans.mapped / HEAP_SPAN_SHARE & ~(size_t)(SPAN_MIN - 1);
    if (size < SPAN_MIN)
        return SPAN_MIN;
    return size < HEAP_SPAN_MAX ? size : HEAP_SPAN_MAX;
}

/* All of the cached span as one free block, if it is at least `gross` bytes; else NULL. */
static struct block *heap_find_cached(const struct heap *heap, size_t gross)
{
    struct span *span = heap->spans.cached;
    if (!span || block_size(span_first_block(span)) < gross)
        return NULL;
    return span_first_block(span);
}

/* Gives back what the cached span has beyond `size` bytes, if that is most of it: a few small
   blocks must not hold what a large one left. */
static void heap_trim_cached(struct heap *heap, size_t size)
{
    struct span *span = heap->spans.cached;
    if (span->size / 2 <= size)
        return;
    bins_take(&span->bins, span_first_block(span));
    span_trim(&heap->spans, span, size);
    span_fill(span);
}

/* A free block of at least `gross` bytes in the cached span or a new one; NULL without memory. */
static struct block *heap_grow(struct heap *heap, size_t gross)
{
    size_t least = span_size_for(gross);
    size_t size = heap_growth(heap);
    if (size < least)
        size = least;
    struct block *cached = heap_find_cached(heap, gross);
    if (cached) {
        heap_trim_cached(heap, size);
        return cached;
    }
    struct span *span = span_map(&heap->spans, size);
    if (!span && size > least)
        span = span_map(&heap->spans, least);
    if (!span)
        return NULL;
    span_fill(span);
    return span_first_block(span);
}

static void span_count_block(struct heap *heap, struct span *span)
{
    span->blkcount++;
    if (heap->spans.cached == span)
        heap->spans.cached = NULL;
}

/* Tells the block after `block`, if there is one, whether `block` is used. */
static void tell_next(struct span *span, struct block *block, bool used)
{
    struct block *next = block_after(block);
    if (next != span_end(span))
        block_set_prev_used(next, used);
}

/* Takes `gross` bytes from the end of a free block, or all of it. */
static struct block *heap_carve(struct heap *heap, struct block *block, size_t gross)
{
    struct span *span = block_owner(block);
    size_t rest = block_size(block) - gross;
    if (rest < BLOCK_MIN) {
        bins_take(&span->bins, block);
        gross += rest;
        rest = 0;
    } else {
        bins_resize(&span->bins, block, rest);
    }
    struct block *carved = block_at(block, rest);
    block_make_used(carved, span, gross, rest == 0);
    tell_next(span, carved, true);
    span_count_block(heap, span);
    heap_file(heap, span);
    return carved;
}

/*
 * A used block at the end of a new span of its own. Only the front of the span is written to: the
 * payload stays as the system gave it, zero and not yet there.
 */
static struct block *heap_map_dedicated(struct heap *heap, size_t gross)
{
    struct span *span = span_map(&heap->spans, span_size_for(gross));
    if (!span)
        return NULL;
    span->dedicated = true;
    struct block *block = span_first_block(span);
    size_t room = span->size - SPAN_HEADER;
    size_t rest = room - gross < BLOCK_MIN ? 0 : room - gross;
    if (rest) {
        block_make_free(block, span, rest, true);
        bins_put(&span->bins, block);
        block = block_at(block, rest);
    }
    block_make_used(block, span, room - rest, rest == 0);
    span->blkcount = 1;
    return block;
}

static bool request_fits(size_t request)
{
    if (request <= BLOCK_REQUEST_MAX)
        return true;
    errno = ENOMEM;
    return false;
}

/*
 * A used block in the cached span, any other, or a span of its own. The cached span is for blocks
 * that use most of it: it was kept for the next one of its size, and a smaller block would have it
 * mapped again.
 */
static struct block *heap_take_large(struct heap *heap, size_t gross, bool *fresh)
{
    struct block *block = heap_find_cached(heap, gross);
    if (block && block_size(block) / 2 <= gross)
        block_owner(block)->dedicated = true;
    else
        block = heap_find(heap, gross);
    *fresh = !block;
    return block ? heap_carve(heap, block, gross) : heap_map_dedicated(heap, gross);
}

/* A used block of at least `gross` bytes; *fresh if its payload is untouched zero pages. */
static struct block *heap_take(struct heap *heap, size_t gross, bool *fresh)
{
    if (gross > BIN_LARGE)
        return heap_take_large(heap, gross, fresh);
    *fresh = false;
    struct block *block = heap_find(heap, gross);
    if (!block)
        block = heap_grow(heap, gross);
    return block ? heap_carve(heap, block, gross) : NULL;
}

void *heap_allocate(struct heap *heap, size_t request)
{
    bool fresh;
    if (!request_fits(request))
        return NULL;
    struct block *block = heap_take(heap, block_gross(request), &fresh);
    return block ? block_payload(block) : NULL;
}

void *heap_allocate_zeroed(struct heap *heap, size_t request)
{
    bool fresh;
    if (!request_fits(request))
        return NULL;
    struct block *block = heap_take(heap, block_gross(request), &fresh);
    if (!block)
        return NULL;
    return fresh ? block_payload(block) : memset(block_payload(block), 0, request);
}

/* Cuts what a used block has beyond `gross` off its end and puts it into the span's bins, merged
   with a free block behind it. */
static void block_cut(struct span *span, struct block *block, size_t gross)
{
    size_t rest = block_size(block) - gross;
    struct block *next = block_after(block);
    if (next != span_end(span) && block_is_free(next)) {
        bins_take(&span->bins, next);
        rest += block_size(next);
    } else if (rest < BLOCK_MIN) {
        return;
    }
    block_set_size(block, gross);
    struct block *cut = block_after(block);
    block_make_free(cut, span, rest, true);
    bins_put(&span->bins, cut);
    tell_next(span, cut, false);
}

/* Frees the end of a used block, if it is large enough to be one. */
static void block_shrink(struct span *span, struct block *block, size_t gross)
{
    size_t rest = block_size(block) - gross;
    if (rest < BLOCK_MIN)
        return;
    memset((char *)block + gross, BLOCK_POISON, rest);
    block_cut(span, block, gross);
}

/*
 * Where in a used block an aligned one of `gross` bytes begins: as far
 * back as possible, and so that what is left in front is a block or nothing.
 */
static struct block *aligned_place(struct block *block, size_t align, size_t gross)
{
    uintptr_t start = (uintptr_t)block;
    uintptr_t p = start + block_size(block) - gross + BLOCK_HEADER;
    p &= ~(uintptr_t)(align - 1);
    while (p - BLOCK_HEADER != start && p - BLOCK_HEADER - start < BLOCK_MIN)
        p -= align;
    return block_from_payload((void *)p);
}

/* Makes the first `front` bytes of a used block free, merged with a free block in front. */
static void block_free_front(struct span *span, struct block *block, size_t front)
{
    if (block_prev_is_free(block)) {
        block = block_before(block);
        bins_resize(&span->bins, block, block_size(block) + front);
        return;
    }
    block_make_free(block, span, front, true);
    bins_put(&span->bins, block);
}

void *heap_allocate_aligned(struct heap *heap, size_t align, size_t request)
{
    bool fresh;
    if (align <= ALIGNMENT)
        return heap_allocate(heap, request);
    if (!request_fits(align) || !request_fits(request) || !request_fits(align + request))
        return NULL;
    size_t gross = block_gross(request);
    /* Room for any misalignment and for a smallest block in front of it. */
    struct block *whole = heap_take(heap, gross + align + BLOCK_MIN, &fresh);
    if (!whole)
        return NULL;
    struct span *span = block_owner(whole);
    struct block *block = aligned_place(whole, align, gross);
    size_t front = (size_t)((char *)block - (char *)whole);
    if (front) {
        block_make_used(block, span, block_size(whole) - front, false);
        block_free_front(span, whole, front);
    }
    block_cut(span, block, gross);
    heap_file(heap, span);
    return block_payload(block);
}

/* The used block whose payload is p. Everything that free touches anyway is checked. */
static struct block *block_checked(void *p, const char *function)
{
    if ((uintptr_t)p % ALIGNMENT)
        misuse_abort(function, p, "misaligned pointer, not from malloc");
    struct block *block = block_from_payload(p);
    if (block_magic(block) == BLOCK_MAGIC_FREE)
        misuse_abort(function, p,
                     strcmp(function, "free") == 0 ? "double free" : "used after it was freed");
    if (block_magic(block) != BLOCK_MAGIC_USED)
        misuse_abort(function, p, "not a block of ours, or its header was overwritten");
    struct span *span = block_owner(block);
    size_t room = (size_t)((char *)span_end(span) - (char *)block);
    if (block_is_free(block) || !span_holds(span, block) || block_size(block) < BLOCK_MIN ||
        block_size(block) > room)
        misuse_abort(function, p, "header was overwritten");
    struct block *next = block_after(block);
    if (next != span_end(span) && block_prev_is_free(next))
        misuse_abort(function, p, "block behind it was overwritten");
    return block;
}

/* The free block in front of a block that says there is one. */
static struct block *block_before_checked(struct span *span, struct block *block,
                                          const char *function)
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
        bins_take(&span->bins, next);
        size += block_size(next);
    }
    if (prev_used) {
        block_make_free(block, span, size, true);
        bins_put(&span->bins, block);
    } else {
        block = block_before_checked(span, block, function);
        bins_resize(&span->bins, block, size + block_size(block));
    }
    tell_next(span, block, false);
}

/* The last block of a span was freed and the span is to be kept, in place of any other. */
static void heap_keep(struct heap *heap, struct span *span)
{
    struct span *other = heap->spans.cached;
    heap->spans.cached = span;
    span->dedicated = false;
    if (other && !span_unmap(&heap->spans, other))
        heap_file(heap, other); /* still mapped, so still of use */
}

/* Whether the span was returned to the system with the block, its last one, in it. */
static bool heap_return(struct heap *heap, struct span *span)
{
    if (span->blkcount > 1 || span_is_worth_keeping(&heap->spans, span))
        return false;
    heap_file_under(heap, span, -1);
    return span_unmap(&heap->spans, span);
}

void heap_free(struct heap *heap, void *p, const char *function)
{
    struct block *block = block_checked(p, function);
    struct span *span = block_owner(block);
    if (heap_return(heap, span))
        return; /* no poison: the pages are gone, and writing would have faulted them in */
    memset(p, BLOCK_POISON, block_payload_size(block));
    block_coalesce(span, block, function);
    span->blkcount--;
    if (span->blkcount == 0)
        heap_keep(heap, span);
    heap_file(heap, span);
}

/* Makes a used block larger by a free one behind it. */
static bool block_grow_behind(struct span *span, struct block *block, size_t gross)
{
    struct block *next = block_after(block);
    if (next == span_end(span) || !block_is_free(next))
        return false;
    size_t room = block_size(block) + block_size(next);
    if (room < gross)
        return false;
    bins_take(&span->bins, next);
    block_set_size(block, room);
    tell_next(span, block, true);
    block_cut(span, block, gross);
    return true;
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
    struct block *before = block_before_checked(span, block, "realloc");
    struct block *next = block_after(block);
    bool takes_next = next != span_end(span) && block_is_free(next);
    size_t room = block_size(before) + block_size(block) + (takes_next ? block_size(next) : 0);
    if (room < gross)
        return NULL;
    size_t rest = room - gross < BLOCK_MIN ? 0 : room - gross;
    if (takes_next)
        bins_take(&span->bins, next);
    if (!rest)
        bins_take(&span->bins, before);
    struct block *moved = block_at(before, rest);
    memmove(block_payload(moved), block_payload(block), block_payload_size(block));
    if (rest)
        bins_resize(&span->bins, before, rest);
    block_make_used(moved, span, room - rest, rest == 0);
    tell_next(span, moved, true);
    return moved;
}

/* The same contents in a new block. */
static void *heap_move(struct heap *heap, struct block *block, size_t request, const char *function)
{
    void *p = heap_allocate(heap, request);
    if (!p)
        return NULL;
    size_t kept = block_payload_size(block);
    memcpy(p, block_payload(block), kept < request ? kept : request);
    heap_free(heap, block_payload(block), function);
    return p;
}

/* Shrinks the block of a dedicated span: the pages behind it go back. */
static void dedicated_shrink(struct heap *heap, struct span *span, struct block *block,
                             size_t gross)
{
    struct block *end = block_after(block);
    if (end != span_end(span)) {
        assert(block_is_free(end) && block_after(end) == span_end(span) && "one block a span");
        bins_take(&span->bins, end);
        block_set_size(block, block_size(block) + block_size(end));
    }
    span_trim(&heap->spans, span, (size_t)((char *)block - (char *)span) + gross);
    block_set_size(block, (size_t)((char *)span_end(span) - (char *)block));
    block_shrink(span, block, gross);
}

/*
 * Makes the block of a dedicated span larger by enlarging the span: the system moves pages, not
 * bytes, so that a growing buffer is not copied each time. NULL if there is no memory.
 */
static struct block *dedicated_grow(struct heap *heap, struct span *span, struct block *block,
                                    size_t gross)
{
    size_t offset = (size_t)((char *)block - (char *)span);
    struct span *moved =
        span_remap(&heap->spans, span, span_size_for(offset - SPAN_HEADER + gross));
    if (!moved)
        return NULL;
    memset(&moved->bins, 0, sizeof moved->bins); /* they named blocks where the span was */
    size_t front = offset - SPAN_HEADER;
    if (front) {
        block_make_free(span_first_block(moved), moved, front, true);
        bins_put(&moved->bins, span_first_block(moved));
    }
    block = block_at((struct block *)moved, offset);
    block_make_used(block, moved, (size_t)((char *)span_end(moved) - (char *)block), front == 0);
    block_cut(moved, block, gross);
    return block;
}

void *heap_resize(struct heap *heap, void *p, size_t request, const char *function)
{
    struct block *block = block_checked(p, function);
    struct span *span = block_owner(block);
    if (!request_fits(request))
        return NULL;
    size_t gross = block_gross(request);
    bool shrinks = gross <= block_size(block);
    if (span->dedicated && shrinks) {
        /* A block that is no longer large goes to the others, or its span would hold only it. */
        void *moved = gross <= BIN_LARGE ? heap_move(heap, block, request, function) : NULL;
        if (moved)
            return moved;
        dedicated_shrink(heap, span, block, gross);
        return p;
    }
    if (shrinks) {
        block_shrink(span, block, gross);
    } else if (!block_grow_behind(span, block, gross)) {
        block = span->dedicated ? dedicated_grow(heap, span, block, gross)
                                : block_grow_before(span, block, gross);
        if (!block)
            return heap_move(heap, block_from_payload(p), request, function);
    }
    heap_file(heap, block_owner(block));
    return block_payload(block);
}

size_t heap_usable_size(void *p, const char *function)
{
    return block_payload_size(block_checked(p, function));
}
