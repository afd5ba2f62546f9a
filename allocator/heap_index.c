/* The index: lists of the spans that have something in a bin, see SPAN_INDEXED_FROM in span.h; and
   finding a free block by it. */
#include "heap_inner.h"

static void heap_index_by(struct heap *heap, struct span *span, unsigned bin)
{
    unsigned index = span_index_of(bin);
    struct span *next = heap->index[bin];
    span->indexed[index] = (struct span_links){NULL, next};
    if (next)
        next->indexed[index].prev = span;
    heap->index[bin] = span;
    heap->indexed_map |= UINT64_C(1) << bin;
}

static void heap_unindex_by(struct heap *heap, struct span *span, unsigned bin)
{
    unsigned index = span_index_of(bin);
    struct span_links links = span->indexed[index];
    if (links.next)
        links.next->indexed[index].prev = links.prev;
    if (links.prev)
        links.prev->indexed[index].next = links.next;
    else
        heap->index[bin] = links.next;
    if (!heap->index[bin])
        heap->indexed_map &= ~(UINT64_C(1) << bin);
}

/* What goes comes first: two bins below SPAN_INDEXED_FROM have the same links. */
static void heap_index_by_map(struct heap *heap, struct span *span, uint64_t map)
{
    for (uint64_t gone = span->indexed_map & ~map; gone; gone &= gone - 1)
        heap_unindex_by(heap, span, (unsigned)__builtin_ctzl(gone));
    for (uint64_t new = map & ~span->indexed_map; new; new &= new - 1)
        heap_index_by(heap, span, (unsigned)__builtin_ctzl(new));
    span->indexed_map = map;
}

uint64_t heap_index_map(const struct span *span)
{
    uint64_t map = span->kind == SPAN_ORDINARY ? span->bins.map : 0;
    uint64_t large = map >> SPAN_INDEXED_FROM << SPAN_INDEXED_FROM;
    return large || !map ? large : UINT64_C(1) << bins_highest(&span->bins);
}

void heap_reindex(struct heap *heap, struct span *span)
{
    heap_index_by_map(heap, span, heap_index_map(span));
}

void heap_unindex(struct heap *heap, struct span *span)
{
    heap_index_by_map(heap, span, 0);
}

struct block *heap_find_walk(const struct heap *heap, size_t gross)
{
    struct span *span = heap->index[bin_of(gross)];
    for (int looked = 0; span && looked < HEAP_WALK_MAX; looked++, span = span->indexed[0].next) {
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
        links_check(span, bin, block);
        if (block_size(block) >= gross && (!best || block_size(block) < block_size(best)))
            best = block;
    }
    return best;
}

/* The smallest block of at least `gross` bytes in a bin of the spans that are indexed by it, as far
   as they are looked at. */
static struct block *index_find_closest(const struct heap *heap, unsigned bin, size_t gross)
{
    unsigned index = span_index_of(bin);
    struct block *best = NULL;
    struct span *span = heap->index[bin];
    for (int looked = 0; span && looked < HEAP_WALK_MAX;
         looked++, span = span->indexed[index].next) {
        struct block *block = bin_find_closest(span, bin, gross);
        if (block && (!best || block_size(block) < block_size(best)))
            best = block;
    }
    return best;
}

struct block *heap_find_closest(const struct heap *heap, size_t gross)
{
    struct block *block = index_find_closest(heap, bin_of(gross), gross);
    unsigned bin = bin_for(gross);
    uint64_t sufficient = heap->indexed_map >> bin << bin;
    if (block || !sufficient || gross > BIN_LARGE)
        return block;
    return index_find_closest(heap, (unsigned)__builtin_ctzl(sufficient), gross);
}
