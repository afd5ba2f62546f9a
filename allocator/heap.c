/*
 * Finding free memory, growing and allocating: see heap.h for what, here for why. What is rare is
 * kept out of line, so that the usual way through a malloc saves no registers for it.
 */
#include "heap_parts.h"
#include "os.h"

#include <assert.h>
#include <string.h>

/* A block of at least `gross` bytes in the spans that are filed with this one under a bin below
   SPAN_FILED_FROM, where it is their highest. */
static __attribute__((noinline)) struct block *file_walk(struct span *span, size_t gross)
{
    for (int looked = 0; span && looked < HEAP_WALK_MAX; looked++, span = span->filed[0].next) {
        struct block *block = bins_find(&span->bins, gross);
        if (block)
            return block;
    }
    return NULL;
}

/* The smallest block of at least `gross` bytes in a span's bin, as far as its blocks are looked at.
   Fatal if a link on the way is impossible: it is about to be followed. */
static struct block *bin_find_closest(struct span *span, unsigned bin, size_t gross)
{
    struct block *best = NULL;
    struct block *block = span->bins.first[bin];
    for (int looked = 0; block && looked < BIN_WALK_MAX; looked++, block = block->next) {
        links_check(span, block, "malloc");
        if (block_size(block) >= gross && (!best || block_size(block) < block_size(best)))
            best = block;
    }
    return best;
}

/* The smallest block of at least `gross` bytes in a bin of the spans that are filed under it, as
   far as they are looked at. */
static struct block *file_find_closest(const struct heap *heap, unsigned bin, size_t gross)
{
    unsigned file = span_file_of(bin);
    struct block *best = NULL;
    struct span *span = heap->filed[bin];
    for (int looked = 0; span && looked < HEAP_WALK_MAX; looked++, span = span->filed[file].next) {
        struct block *block = bin_find_closest(span, bin, gross);
        if (block && (!best || block_size(block) < block_size(best)))
            best = block;
    }
    return best;
}

/* As heap_find, for a request from SPAN_FILED_BYTES on. */
static __attribute__((noinline)) struct block *heap_find_closest(const struct heap *heap,
                                                                 size_t gross)
{
    struct block *block = file_find_closest(heap, bin_of(gross), gross);
    unsigned bin = bin_for(gross);
    uint64_t sufficient = heap->filed_map >> bin << bin;
    if (block || !sufficient || gross > BIN_LARGE)
        return block;
    return file_find_closest(heap, (unsigned)__builtin_ctzl(sufficient), gross);
}

/* A free block of at least `gross` bytes in any filed span, or NULL. */
static struct block *heap_find(const struct heap *heap, size_t gross)
{
    if (gross >= SPAN_FILED_BYTES)
        return heap_find_closest(heap, gross);
    unsigned bin = bin_for(gross);
    uint64_t sufficient = heap->filed_map >> bin << bin;
    if (sufficient)
        return bins_find(&heap->filed[__builtin_ctzl(sufficient)]->bins, gross);
    return file_walk(heap->filed[bin_of(gross)], gross);
}

/* A free block, as heap_find does, in memory that loose blocks come to when they are merged: one
   span's, or those of as many spans as it takes. */
static __attribute__((noinline)) struct block *heap_merge_until_found(struct heap *heap,
                                                                      size_t gross)
{
    struct block *block;
    do {
        heap_merge_loose(heap);
        block = heap_find(heap, gross);
    } while (!block && heap->loose);
    return block;
}

/* As heap_find, but where that finds nothing or memory worth sparing, loose blocks are merged. */
static struct block *heap_find_or_merge(struct heap *heap, size_t gross)
{
    struct block *block = heap_find(heap, gross);
    if (!heap->loose || (block && block_size(block) <= HEAP_LOOSE_WORTH))
        return block;
    return heap_merge_until_found(heap, gross);
}

/* Bytes of the next ordinary span, if no block needs a larger one. */
static size_t heap_growth(const struct heap *heap)
{
    size_t mapped = heap->spans.mapped;
    if (mapped / HEAP_HUGE_SHARE >= OS_HUGE_PAGE)
        return OS_HUGE_PAGE;
    size_t size = mapped / HEAP_SPAN_SHARE & ~(size_t)(SPAN_MIN - 1);
    return size < SPAN_MIN ? SPAN_MIN : size;
}

static struct span *heap_adopt(struct heap *heap, struct span *span)
{
    if (span)
        span->heap = heap;
    return span;
}

/* A new ordinary span of `size` bytes: its free block; or NULL. */
static struct block *heap_map_ordinary(struct heap *heap, size_t size)
{
    bool huge = size == OS_HUGE_PAGE;
    struct span *span = huge ? span_map_huge(&heap->spans) : span_map(&heap->spans, size);
    if (!heap_adopt(heap, span))
        return NULL;
    span_fill(span);
    return span_first_block(span);
}

/* A free block of at least `gross` bytes in a kept span or a new one; NULL without memory. */
static struct block *heap_grow(struct heap *heap, size_t gross)
{
    size_t least = span_size_for(gross);
    size_t size = heap_growth(heap);
    if (size < least)
        size = least;
    struct block *kept = heap_find_kept(heap, gross);
    if (kept) {
        heap_use_kept(heap, block_owner(kept), size);
        return kept;
    }
    int kept_errno = errno;
    struct block *block = /* a span on a huge page is aligned, which a stretched one is not */
        size == OS_HUGE_PAGE ? NULL : heap_stretch_kept(heap, size, SPAN_ORDINARY);
    if (!block)
        block = heap_map_ordinary(heap, size);
    if (!block && size > least) {
        errno = kept_errno;
        block = heap_map_ordinary(heap, least);
    }
    return block;
}

/* The span of a free block that was found in a bin; fatal if its header is no longer one. */
static struct span *owner_checked(struct block *block)
{
    if (__builtin_expect(block_magic(block) != BLOCK_MAGIC_FREE, 0))
        misuse_abort("malloc", block_payload(block), "free block was written to");
    return block_owner(block);
}

/*
 * Shortens a free block by `gross` bytes, or by all of it where too little would be left, which
 * takes it out of its bin: the bytes that are left.
 */
static size_t block_shorten(struct span *span, struct block *block, size_t gross)
{
    size_t rest = block_rest(block_size(block), gross);
    if (rest)
        block_rebin(span, block, rest, "malloc");
    else
        block_unbin(span, block, "malloc");
    return rest;
}

struct block *heap_carve(struct heap *heap, struct block *block, size_t gross)
{
    struct span *span = owner_checked(block);
    size_t size = block_size(block);
    size_t rest = block_shorten(span, block, gross);
    struct block *carved = block_at(block, rest);
    block_make_used(carved, span, size - rest, rest == 0);
    block_tell_next(span, carved, true);
    span->blkcount++;
    heap_file(heap, span);
    return carved;
}

/*
 * A used block at the end of a new span of its own. Only the front of the span is written to: the
 * payload stays as the system gave it, zero and not yet there.
 */
static struct block *heap_map_dedicated(struct heap *heap, size_t gross)
{
    struct span *span = heap_adopt(heap, span_map(&heap->spans, span_size_for(gross)));
    if (!span)
        return NULL;
    span_set_kind(&heap->spans, span, SPAN_DEDICATED);
    struct block *block = span_first_block(span);
    size_t room = span->size - SPAN_HEADER - SPAN_TAIL;
    size_t rest = block_rest(room, gross);
    if (rest) {
        block_bin(span, block, rest);
        block = block_at(block, rest);
    }
    block_make_used(block, span, room - rest, rest == 0);
    span->blkcount = 1;
    return block;
}

/* All of a kept span that has `gross` bytes, or of a new one, as one free block: it becomes a
   shared span. NULL without memory. What a larger block left waits for the next one. */
static struct block *heap_share(struct heap *heap, struct span **place, size_t gross)
{
    struct block *block = heap_find_kept(heap, gross);
    if (block && block_owner(block)->size <= SPAN_SHARED_BYTES) {
        *place = block_owner(block);
        span_unkeep(&heap->spans, *place, SPAN_SHARED);
        return block;
    }
    *place = heap_adopt(heap, span_map(&heap->spans, SPAN_SHARED_BYTES));
    if (!*place)
        return NULL;
    (*place)->kind = SPAN_SHARED;
    span_fill(*place);
    return span_first_block(*place);
}

/* A large block in a shared span: those that lie in it together leave one empty span. */
static struct block *heap_take_shared(struct heap *heap, size_t gross)
{
    struct block *block = NULL;
    struct span **unused = NULL;
    for (int i = 0; i < HEAP_SHARED_MAX && !block; i++)
        if (heap->shared[i])
            block = bins_find(&heap->shared[i]->bins, gross);
        else
            unused = &heap->shared[i];
    if (!block)
        block = heap_find_or_merge(heap, gross);
    if (!block && unused)
        block = heap_share(heap, unused, gross);
    return block ? heap_carve(heap, block, gross) : NULL;
}

/* A kept span comes first: it becomes the block's own, and its pages are there already. */
static struct block *heap_take_dedicated(struct heap *heap, size_t gross, bool *fresh)
{
    struct block *block = heap_dedicate_kept(heap, gross);
    if (!block)
        block = heap_find_or_merge(heap, gross);
    *fresh = !block;
    return block ? heap_carve(heap, block, gross) : heap_map_dedicated(heap, gross);
}

static __attribute__((noinline)) struct block *heap_take_large(struct heap *heap, size_t gross)
{
    bool fresh;
    if (BUILD_SHARES_LARGE && span_size_for(gross) <= SPAN_SHARED_BYTES / 2) {
        int kept_errno = errno;
        struct block *block = heap_take_shared(heap, gross);
        if (block)
            return block;
        errno = kept_errno;
    }
    return heap_take_dedicated(heap, gross, &fresh);
}

static struct block *heap_take_ordinary(struct heap *heap, size_t gross)
{
    struct block *block = heap_find_or_merge(heap, gross);
    if (!block)
        block = heap_grow(heap, gross);
    return block ? heap_carve(heap, block, gross) : NULL;
}

static struct block *heap_count_taken(struct heap *heap, struct block *block)
{
    heap->taken += block != NULL;
    return block;
}

struct block *heap_take(struct heap *heap, size_t gross)
{
    bool large = gross > BIN_LARGE;
    return heap_count_taken(heap,
                            large ? heap_take_large(heap, gross) : heap_take_ordinary(heap, gross));
}

struct block *heap_take_apart(struct heap *heap, size_t gross, bool *fresh)
{
    if (gross > BIN_LARGE)
        return heap_count_taken(heap, heap_take_dedicated(heap, gross, fresh));
    *fresh = false;
    return heap_count_taken(heap, heap_take_ordinary(heap, gross));
}

void *heap_allocate(struct heap *heap, size_t request)
{
    if (!request_fits(request))
        return NULL;
    struct block *block = heap_take(heap, block_gross(request));
    return block ? block_payload(block) : NULL;
}

void *heap_allocate_zeroed(struct heap *heap, size_t request)
{
    bool fresh;
    if (!request_fits(request))
        return NULL;
    struct block *block = heap_take_apart(heap, block_gross(request), &fresh);
    if (!block)
        return NULL;
    return fresh ? block_payload(block) : memset(block_payload(block), 0, request);
}

/*
 * Takes up to `count` blocks of `gross` bytes, one behind the other, from the front of a free
 * block: their number. A program that is given run after run goes up in the address space then,
 * which is how memory is walked through fastest.
 */
static size_t heap_carve_run(struct heap *heap, struct block *block, size_t gross, void **payloads,
                             size_t count)
{
    struct span *span = owner_checked(block);
    size_t size = block_size(block);
    size_t fit = size / gross;
    if (count > fit)
        count = fit;
    size_t rest = block_rest(size, count * gross);
    block_unbin(span, block, "malloc");
    struct block *carved = block;
    /* The lowest is taken first: the caller takes them from the end of the array. */
    for (size_t i = count; i-- > 1; carved = block_at(carved, gross)) {
        block_make_used(carved, span, gross, true);
        payloads[i] = block_payload(carved);
    }
    block_make_used(carved, span, size - rest - (count - 1) * gross, true);
    payloads[0] = block_payload(carved);
    if (rest)
        block_bin(span, block_after(carved), rest);
    else
        block_tell_next(span, carved, true);
    span->blkcount += count;
    heap_file(heap, span);
    return count;
}

size_t heap_allocate_run(struct heap *heap, size_t gross, void **payloads, size_t count)
{
    assert(gross <= BIN_LARGE && count > 0);
    size_t taken = 0;
    while (taken < count) {
        struct block *block = heap_find_or_merge(heap, gross);
        if (!block && taken == 0)
            block = heap_grow(heap, gross);
        if (!block)
            break;
        taken += heap_carve_run(heap, block, gross, payloads + taken, count - taken);
    }
    heap->taken += taken;
    if (heap->taken > heap->taken_peak)
        heap->taken_peak = heap->taken;
    return taken;
}
