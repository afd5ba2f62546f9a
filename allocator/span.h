/*
 * Spans: regions of whole pages from the system, in a doubly linked list, and the decision which
 * of them go back. A span's inside is blocks (block.h) and bins (bins.h); who allocates them is
 * the heap's business (heap.h).
 *
 *     +-------------------------+  <- page-aligned
 *     | struct span, padded     |
 *     +-------------------------+  <- first block
 *     | block | block | block   |
 *     | block            | ...  |  blocks tile the rest without a gap
 *     +-------------------------+  <- start + size
 */
#ifndef ALLOCATOR_SPAN_H
#define ALLOCATOR_SPAN_H

#include "bins.h"

enum {
    SPAN_MIN = 64 * 1024, /* least bytes asked of the system; from the design */
    /*
     * Largest empty span that is kept at first. Arbitrary within wide limits: 1 MiB costs a program
     * little, and faulting its 256 pages in again would cost some 300 us.
     */
    SPAN_KEEP_FIRST = 1024 * 1024,
    /* Where that limit ends when it grows with the spans that were returned too early. The largest
       mmap threshold of glibc, so that both keep the same blocks in reach. */
    SPAN_KEEP_LAST = 32 * 1024 * 1024,
};

struct span {
    size_t size;       /* bytes of the mapping, this header included; whole pages */
    struct span *prev; /* neighbours in the list of all spans; no order is promised */
    struct span *next;
    size_t blkcount;  /* blocks in use; 0: the span is empty */
    struct bins bins; /* the free list; nothing in it while every byte is in use */

    /*
     * The heap's: spans with a free block are filed under their highest bin. A dedicated span was
     * mapped for one large block and is not filed, so that small blocks do not settle in the
     * rest of its pages and hold all of it when the large block goes.
     */
    struct span *filed_prev;
    struct span *filed_next;
    int filed_bin; /* -1: not filed */
    bool dedicated;
};

enum { SPAN_HEADER = (sizeof(struct span) + ALIGNMENT - 1) & ~(ALIGNMENT - 1) };

/* All spans of a heap. Zero-initialised is empty. */
struct spans {
    struct span *first;
    struct span *cached; /* the one empty span that is kept, or NULL */
    size_t count;
    size_t mapped;   /* bytes of all spans */
    size_t keep_max; /* largest empty span that is kept, if above SPAN_KEEP_FIRST */
    size_t returned; /* size of the span that was last too large to keep; 0: asked for again */
};

static inline struct block *span_first_block(struct span *span)
{
    return (struct block *)((char *)span + SPAN_HEADER);
}

static inline struct block *span_end(struct span *span)
{
    return (struct block *)((char *)span + span->size);
}

static inline bool span_holds(struct span *span, const void *p)
{
    return (const char *)p >= (char *)span_first_block(span) &&
           (const char *)p < (char *)span_end(span);
}

/* Bytes of the smallest span that has room for a block of `gross` bytes. */
size_t span_size_for(size_t gross);

/*
 * Maps a span of `size` bytes (from span_size_for or larger; whole pages), links it into the list,
 * with no blocks in it yet. NULL and ENOMEM if the system has no memory.
 */
struct span *span_map(struct spans *spans, size_t size);

/* Makes all of a span without blocks one free block, in its bin. */
void span_fill(struct span *span);

/*
 * Whether a span that becomes empty now is to be kept as the cached one: if it is not too large,
 * and larger than the one that is. What is too large is learnt: a span that was returned and then
 * asked for again should have been kept, so that programs which allocate and free large blocks in
 * turn do not fault them in each time.
 */
bool span_is_worth_keeping(struct spans *spans, const struct span *span);

/* Unlinks a span and returns it to the system; false if that was refused, and nothing changed. */
bool span_unmap(struct spans *spans, struct span *span);

/*
 * Enlarges a span to `size` bytes, possibly moving it: whoever points into it or into its blocks
 * must be told. The span's new place; NULL and ENOMEM if the system refused, and nothing changed.
 */
struct span *span_remap(struct spans *spans, struct span *span, size_t size);

/* Returns the whole pages past `used` bytes of the span to the system, if there are any: the
   caller has made sure that no block lies there. The new size is in span->size. */
void span_trim(struct spans *spans, struct span *span, size_t used);

#endif
