/*
 * Bins: a span's free list, segregated by size, so that a fitting block is found without a walk.
 * A bin is a doubly linked list of free blocks of similar size, last freed first; a bitmap says
 * which bins hold something.
 *
 * Gross sizes below 512 have a bin each; above there are four bins a doubling up to BIN_LARGE;
 * the last bin holds everything from there on. The 61 bins (63 where blocks of 32 bytes exist) fit
 * one word of bitmap and cost a span of 64 KiB 0.8 % of its bytes.
 *
 * Everything is inline: these few instructions run several times in each malloc and free.
 */
#ifndef ALLOCATOR_BINS_H
#define ALLOCATOR_BINS_H

#include "block.h"

#include <assert.h>

enum {
    BIN_EXACT_END = 512,    /* gross sizes below have a bin each */
    BIN_LARGE = 128 * 1024, /* gross sizes from here on share the last bin */
    BIN_WALK_MAX = 8,       /* blocks looked at where a bin mixes sizes that fit with ones that
                               do not; arbitrary, bounds the cost of a malloc */
};

enum {
    BIN_EXACT_LOG2 = 9,
    BIN_LARGE_LOG2 = 17,
    BINS_A_DOUBLING_LOG2 = 2,
    BINS_A_DOUBLING = 1 << BINS_A_DOUBLING_LOG2,
    BINS_EXACT = (BIN_EXACT_END - BLOCK_MIN) / ALIGNMENT,
    BIN_LAST = BINS_EXACT + (BIN_LARGE_LOG2 - BIN_EXACT_LOG2) * BINS_A_DOUBLING,
    BINS = BIN_LAST + 1,
};

_Static_assert(BIN_EXACT_END == 1 << BIN_EXACT_LOG2, "where exact bins end");
_Static_assert(BIN_LARGE == 1 << BIN_LARGE_LOG2, "where the last bin begins");
_Static_assert(BINS <= 64, "one word of bitmap");

struct bins {
    uint64_t map; /* bit i: first[i] is not NULL */
    struct block *first[BINS];
};

static inline unsigned log2_floor(size_t n)
{
    return 63 - (unsigned)__builtin_clzl(n);
}

/* The bin that a free block of this gross size belongs to. */
static inline unsigned bin_of(size_t gross)
{
    if (gross < BIN_EXACT_END)
        return (unsigned)((gross - BLOCK_MIN) / ALIGNMENT);
    if (gross >= BIN_LARGE)
        return BIN_LAST;
    unsigned log2 = log2_floor(gross);
    unsigned quarter = (unsigned)(gross >> (log2 - BINS_A_DOUBLING_LOG2)) % BINS_A_DOUBLING;
    return BINS_EXACT + (log2 - BIN_EXACT_LOG2) * BINS_A_DOUBLING + quarter;
}

/* The lowest bin in which every block is at least `gross`; BIN_LAST for all from BIN_LARGE on,
   where blocks have to be looked at. */
static inline unsigned bin_for(size_t gross)
{
    if (gross < BIN_EXACT_END || gross >= BIN_LARGE)
        return bin_of(gross);
    size_t bin_width = (size_t)1 << (log2_floor(gross) - BINS_A_DOUBLING_LOG2);
    return bin_of(gross + bin_width - ALIGNMENT);
}

/* In these `bin` is that of the block's size: callers know it already. */
static inline void bins_put(struct bins *bins, unsigned bin, struct block *block)
{
    struct block *head = bins->first[bin];
    block->prev = NULL;
    block->next = head;
    if (head)
        head->prev = block;
    bins->first[bin] = block;
    bins->map |= UINT64_C(1) << bin;
}

static inline void bins_take(struct bins *bins, unsigned bin, struct block *block)
{
    assert(block->prev || bins->first[bin] == block);
    if (block->next)
        block->next->prev = block->prev;
    if (block->prev) {
        block->prev->next = block->next;
        return;
    }
    bins->first[bin] = block->next;
    if (!block->next)
        bins->map &= ~(UINT64_C(1) << bin);
}

/* Gives a free block a new gross size, and moves it from the bin for the old one to that for it. */
static inline void bins_resize(struct bins *bins, unsigned from, unsigned to, struct block *block,
                               size_t gross)
{
    if (from != to)
        bins_take(bins, from, block);
    block_set_free_size(block, gross);
    if (from != to)
        bins_put(bins, to, block);
}

static inline struct block *bin_walk(struct block *block, size_t gross)
{
    for (int looked = 0; block && looked < BIN_WALK_MAX; looked++, block = block->next)
        if (block_size(block) >= gross)
            return block;
    return NULL;
}

/*
 * A free block of at least `gross` bytes, left in its bin; NULL if none was found. Blocks of a bin
 * that may or may not fit are looked at last and BIN_WALK_MAX at the most.
 */
static inline struct block *bins_find(const struct bins *bins, size_t gross)
{
    unsigned bin = bin_for(gross);
    uint64_t sufficient = bins->map >> bin << bin;
    if (sufficient && gross <= BIN_LARGE)
        return bins->first[__builtin_ctzl(sufficient)];
    return bin_walk(bins->first[bin_of(gross)], gross);
}

/* The highest bin that holds something, or -1. */
static inline int bins_highest(const struct bins *bins)
{
    return bins->map ? 63 - __builtin_clzl(bins->map) : -1;
}

#endif
