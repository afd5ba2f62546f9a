/*
 * What the parts of the heap share, and nobody else but check.c sees. Each part uses those above it
 * in this list:
 *
 *     heap_filed.c    which spans have free blocks of what size
 *     heap_kept.c     empty spans that are kept, and large blocks served from them
 *     heap_free.c     checks of what the program passes in, merging with neighbours, release
 *     heap_loose.c    blocks that are freed now and merged later
 *     heap.c          finding free memory, growing, allocating
 *     heap_aligned.c  allocating at a multiple
 *     heap_resize.c   growing and shrinking in place, or elsewhere
 *
 * Inline is what runs in nearly every malloc and free. `function` is the standard function that a
 * fatal message names.
 */
#ifndef ALLOCATOR_HEAP_PARTS_H
#define ALLOCATOR_HEAP_PARTS_H

#include "heap.h"
#include "misuse.h"

#include <errno.h>

/* false, with errno set: no block can be that large. */
static inline bool request_fits(size_t request)
{
    if (request <= BLOCK_REQUEST_MAX)
        return true;
    errno = ENOMEM;
    return false;
}

/* The bins that a span is to be filed under. */
static inline uint64_t heap_filing_map(const struct span *span)
{
    uint64_t map = span->kind == SPAN_ORDINARY ? span->bins.map : 0;
    uint64_t large = map >> SPAN_FILED_FROM << SPAN_FILED_FROM;
    return large || !map ? large : UINT64_C(1) << bins_highest(&span->bins);
}

/* Files the span under the bins of `map` and no others. */
void heap_refile(struct heap *heap, struct span *span, uint64_t map);

/* Files the span where it belongs; to be called after any change of its bins or its role. */
static inline void heap_file(struct heap *heap, struct span *span)
{
    uint64_t map = heap_filing_map(span);
    if (map != span->filed_map)
        heap_refile(heap, span, map);
}

/* Takes the span out of all files. */
static inline void heap_unfile(struct heap *heap, struct span *span)
{
    if (span->filed_map)
        heap_refile(heap, span, 0);
}

/* Puts the span into the list of those that have loose blocks. */
static inline void heap_note_loose(struct heap *heap, struct span *span)
{
    span->loose_prev = NULL;
    span->loose_next = heap->loose;
    if (heap->loose)
        heap->loose->loose_prev = span;
    heap->loose = span;
}

/* Takes the span out of that list, if it is there, and forgets which of its blocks are loose. */
static inline void heap_forget_loose(struct heap *heap, struct span *span)
{
    if (!span->loose)
        return;
    if (span->loose_next)
        span->loose_next->loose_prev = span->loose_prev;
    if (span->loose_prev)
        span->loose_prev->loose_next = span->loose_next;
    else
        heap->loose = span->loose_next;
    span->loose = NULL;
    span->loose_count = 0;
}

/* A link of a free block that a write after free has hit is hardly one into the same span. Blocks
   that it names are not looked at: that would cost a cache miss in each malloc and free. */
static inline bool link_is_possible(struct span *span, struct block *link)
{
    return !link || (span_holds(span, link) && (uintptr_t)block_payload(link) % ALIGNMENT == 0);
}

static inline bool links_hold(struct span *span, const struct block *block)
{
    return link_is_possible(span, block->next) && link_is_possible(span, block->prev) &&
           (block->prev || span->bins.first[bin_of(block_size(block))] == block);
}

static inline void links_check(struct span *span, struct block *block, const char *function)
{
    if (__builtin_expect(!links_hold(span, block), 0))
        misuse_abort(function, block_payload(block), "free block was written to");
}

/* Makes `gross` bytes behind a used block, or at the start of the span, a free block in its bin. */
static inline void block_bin(struct span *span, struct block *block, size_t gross)
{
    block_make_free(block, span, gross, true);
    bins_put(&span->bins, block);
}

/* Takes a free block out of its bin; fatal if its links are impossible. */
static inline void block_unbin(struct span *span, struct block *block, const char *function)
{
    links_check(span, block, function);
    bins_take(&span->bins, block);
}

/* Gives a free block a new size, and so perhaps another bin; fatal as above. */
static inline void block_rebin(struct span *span, struct block *block, size_t gross,
                               const char *function)
{
    if (bin_of(gross) != bin_of(block_size(block)))
        links_check(span, block, function);
    bins_resize(&span->bins, block, gross);
}

/* Tells the block after `block`, if there is one, whether `block` is used. */
static inline void block_tell_next(struct span *span, struct block *block, bool used)
{
    struct block *next = block_after(block);
    if (next != span_end(span))
        block_set_prev_used(next, used);
}

/* What is left of `room` bytes when `gross` of them are taken: enough for a block, or 0, and then
   all of it is to be taken. */
static inline size_t block_rest(size_t room, size_t gross)
{
    return room - gross < BLOCK_MIN ? 0 : room - gross;
}

/* heap_kept.c */

/* To be called when the last block of a span has gone: it is shared no longer, if it was. */
void heap_unshare(struct heap *heap, const struct span *span);

/* Keeps a span without used blocks, all of it one free block in its bin; others go back to the
   system if they are too many then. */
void heap_keep_span(struct heap *heap, struct span *span);

/* The free block of the smallest kept span that has `gross` bytes; NULL if none has. The span stays
   kept. */
struct block *heap_find_kept(const struct heap *heap, size_t gross);

/* The same for a block that uses most of it, or for which it is cut, and which the caller must
   take: the span is dedicated to it then. Where no kept span has the bytes, one may have been
   enlarged to them. */
struct block *heap_dedicate_kept(struct heap *heap, size_t gross);

/* Makes a kept span of less than `size` bytes, but no less than half of them, as large as that:
   what it has need not be faulted in again. All of it as one free block, the span now of that kind;
   NULL if there is none or the system has no room, errno is kept then. */
struct block *heap_stretch_kept(struct heap *heap, size_t size, enum span_kind kind);

/* Makes a kept span an ordinary one, without what it has beyond `size` bytes if that is most of
   it, which is returned or kept; a block of it must be taken. */
void heap_use_kept(struct heap *heap, struct span *span, size_t size);

/* heap_free.c */

/* Ends the program: the magic of the block is not the one that it should have. */
_Noreturn void block_is_wrong(const struct block *block, void *p, const char *function);

/* The free block in front of a block that says there is one; fatal if there is none. */
struct block *block_before_checked(struct span *span, struct block *block, const char *function);

/* Cuts what a used block has beyond `gross` off its end and puts it into the span's bins, merged
   with a free block behind it. The block stays as it is if no block can be there. */
void block_cut(struct span *span, struct block *block, size_t gross, const char *function);

/* Frees a used block that was checked, and whatever else of its span goes with it: the span may be
   returned to the system. */
void heap_release(struct heap *heap, struct block *block, const char *function);

/* Makes a span empty whose used blocks are all loose: it is kept or returned to the system. */
void heap_empty_span(struct heap *heap, struct span *span);

/* heap_loose.c */

/* Merges the loose blocks of one span with their neighbours; there must be such a span. */
void heap_merge_loose(struct heap *heap);

/* heap.c */

/* A used block of at least `gross` bytes; NULL without memory. */
struct block *heap_take(struct heap *heap, size_t gross);
/* The same, but a large block gets no span that it shares with others: one that is to be zero, or
   that grows. *fresh if its payload is zero pages that nobody touched. */
struct block *heap_take_apart(struct heap *heap, size_t gross, bool *fresh);

/* Takes `gross` bytes from the end of a free block, or all of it where too little would be left. */
struct block *heap_carve(struct heap *heap, struct block *block, size_t gross);

#endif
