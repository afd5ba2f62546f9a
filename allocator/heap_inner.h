/*
 * What the parts of the heap share, and nobody else but the check sees. Each part uses those above
 * it in this list:
 *
 *     heap_index.c    which spans have free blocks of what size; finding one
 *     heap_shared.c   spans that large blocks share (libspan)
 *     heap_free.c     checks of what the program passes in, merging with neighbours, release
 *     deferred.c      blocks that are freed now and merged later (libspan-fast)
 *     heap.c          growing, allocating
 *     heap_run.c      allocating many of a size (libspan-fast)
 *     heap_aligned.c  allocating at a multiple
 *     heap_resize.c   growing and shrinking in place, or elsewhere
 *
 * Inline is what runs in nearly every malloc and free.
 */
#ifndef ALLOCATOR_HEAP_INNER_H
#define ALLOCATOR_HEAP_INNER_H

#include "heap.h"

#include <errno.h>

/* false, with errno set: no block can be that large. */
static inline bool request_fits(size_t request)
{
    if (request <= BLOCK_REQUEST_MAX)
        return true;
    errno = ENOMEM;
    return false;
}

/* heap_index.c */

/* The bins by which a span is to be indexed. */
uint64_t heap_index_map(const struct span *span);

/* Indexes the span where it belongs, whatever it was indexed by. */
void heap_reindex(struct heap *heap, struct span *span);

/* Takes the span out of the index. */
void heap_unindex(struct heap *heap, struct span *span);

/*
 * The same as heap_reindex, to be called after any change of the span's bins or its kind. Mostly it
 * is where it belongs: the bins from SPAN_INDEXED_FROM on are those that it is indexed by, or there
 * are none and its highest one is.
 */
static inline void heap_index(struct heap *heap, struct span *span)
{
    uint64_t other = span->bins.map ^ span->indexed_map;
    if (other >> SPAN_INDEXED_FROM != 0 || other >= span->indexed_map)
        heap_reindex(heap, span);
}

/* What is rare of heap_find: a request from SPAN_INDEXED_BYTES on; and a smaller one where only
   spans whose highest bin mixes sizes that fit with ones that do not may have a block. */
struct block *heap_find_closest(const struct heap *heap, size_t gross);
struct block *heap_find_walk(const struct heap *heap, size_t gross);

/* A free block of at least `gross` bytes in any indexed span, left in its bin, or NULL. */
static inline struct block *heap_find(const struct heap *heap, size_t gross)
{
    if (gross >= SPAN_INDEXED_BYTES)
        return heap_find_closest(heap, gross);
    unsigned bin = bin_for(gross);
    uint64_t sufficient = heap->indexed_map >> bin << bin;
    if (sufficient)
        return bins_find(&heap->index[__builtin_ctzl(sufficient)]->bins, gross);
    return heap_find_walk(heap, gross);
}

/* heap_shared.c, in libspan alone */

#if SPAN_FAST
#define heap_find_shared(heap, gross) NULL
#define heap_map_shared(heap, gross)  NULL
#define heap_unshare(heap, span)      ((void)0)
#else
/* A free block of at least `gross` bytes in a shared span, or NULL. */
struct block *heap_find_shared(const struct heap *heap, size_t gross);
/* One more shared span with that many bytes: all of it one free block. NULL without memory, or
   where there are enough of them. */
struct block *heap_map_shared(struct heap *heap, size_t gross);
/* To be called when the last block of a span has gone: it is shared no longer, if it was. */
void heap_unshare(struct heap *heap, const struct span *span);
#endif

/* heap_free.c */

/* The free block in front of a block that says there is one; fatal if there is none. */
struct block *block_before_checked(struct span *span, struct block *block);

/* Merges a block that was just freed with its free neighbours and puts the result into its bin. */
void block_coalesce(struct span *span, struct block *block);

/* Cuts what a used block has beyond `gross` off its end and puts it into the span's bins, merged
   with a free block behind it. The block stays as it is if no block can be there. */
void block_cut(struct span *span, struct block *block, size_t gross);

/* Caches a span without used blocks, all of it one free block in its bin. */
void heap_keep_span(struct heap *heap, struct span *span);

/* Frees a used block that was checked, and whatever else of its span goes with it: the span may be
   returned to the system. */
void heap_release(struct heap *heap, struct block *block);

/* heap.c */

/* A free block of at least `gross` bytes in a cached span or a new one; NULL without memory. */
struct block *heap_grow(struct heap *heap, size_t gross);

/* The span of a free block that was found in a bin; fatal if its header is no longer one. */
static inline struct span *heap_owner_checked(const struct heap *heap, struct block *block)
{
    if (__builtin_expect(block_magic(block) != BLOCK_MAGIC_FREE, 0))
        misuse_abort(heap->spans.caller, block_payload(block), "free block was written to");
    return block_owner(block);
}

/* A used block of at least `gross` bytes; NULL without memory. */
struct block *heap_take(struct heap *heap, size_t gross);
/* The same, but a large block gets no span that it shares with others: one that is to be zero, or
   that grows. *fresh if its payload is zero pages that nobody touched. */
struct block *heap_take_apart(struct heap *heap, size_t gross, bool *fresh);

/* Takes `gross` bytes from the end of a free block, or all of it where too little would be left. */
struct block *heap_carve(struct heap *heap, struct block *block, size_t gross);

/* Makes the span the heap's, if there is one. */
static inline struct span *heap_adopt(struct heap *heap, struct span *span)
{
    if (span)
        span->heap = heap;
    return span;
}

#endif
