/*
 * Spans: regions of whole pages from the system, in a doubly linked list. A span's inside is blocks
 * (block.h) and bins (bins.h); who allocates them is the heap's business (heap.h), and which empty
 * spans are worth keeping is the span cache's (span_cache.h).
 *
 *     +-------------------------+  <- page-aligned
 *     | struct span, padded     |
 *     +-------------------------+  <- first block
 *     | block | block | block   |
 *     | block            | ...  |  blocks tile the rest without a gap
 *     +-------------------------+  <- start + size (- 8 where headers have 8 bytes)
 */
#ifndef ALLOCATOR_SPAN_H
#define ALLOCATOR_SPAN_H

#include "bins.h"
#include "misuse.h"

enum { SPAN_MIN = 64 * 1024 }; /* least bytes asked of the system; from the design */

/* Small blocks settle in ordinary spans only: in the others they would hold all the pages that a
   large one leaves. */
enum span_kind {
    SPAN_ORDINARY,  /* any block; indexed */
    SPAN_SHARED,    /* large blocks; not indexed */
    SPAN_DEDICATED, /* one large block; not indexed */
    SPAN_CACHED,    /* no block */
};

/*
 * A heap indexes a span by each of its bins from SPAN_INDEXED_FROM on, so that a larger request
 * finds the block of the heap that fits it best; or, where it has none of these, by its highest
 * one. Smaller blocks are not worth a list in each span: what is left of one is small as well.
 */
enum {
    SPAN_INDEXED_BYTES = 8192, /* gross sizes in the first such bin; a page */
    SPAN_INDEXED_LOG2 = 13,
    SPAN_INDEXED_FROM = BINS_EXACT + (SPAN_INDEXED_LOG2 - BIN_EXACT_LOG2) * BINS_A_DOUBLING,
    SPAN_INDEXES = BINS - SPAN_INDEXED_FROM + 1, /* lists that a span is in at the most */
};

_Static_assert(SPAN_INDEXED_BYTES == 1 << SPAN_INDEXED_LOG2, "where bins are indexed one by one");

/* Which of a span's links are those of the index of `bin`. */
static inline unsigned span_index_of(unsigned bin)
{
    return bin < SPAN_INDEXED_FROM ? 0 : bin - SPAN_INDEXED_FROM + 1;
}

/* A span's neighbours in a list. */
struct span_links {
    struct span *prev;
    struct span *next;
};

struct heap; /* its first field is a struct spans */

struct span {
    size_t size;       /* bytes of the mapping, this header included; whole pages */
    struct span *prev; /* neighbours in the list of all spans; no order is promised */
    struct span *next;
    size_t blkcount;  /* blocks in use; 0: the span is empty */
    struct bins bins; /* the free list; nothing in it while every byte is in use */

    struct heap *heap;    /* whose span it is */
    uint64_t indexed_map; /* bit i: the heap has it in the index of bin i */
    /* Cached spans are not indexed and use the first links for the list of those. */
    struct span_links indexed[SPAN_INDEXES];
    enum span_kind kind;
    /* Bytes that were used or faulted in, from the side where small blocks are cut first: see
       prefault.h. */
    size_t touched;
#if SPAN_FAST
    /* Blocks that are free but not merged yet, linked by next, and the list of spans that have such
       blocks: see deferred.h. The last word does the least harm when the first block underflows. */
    struct block *deferred;
    struct span *deferred_prev;
    struct span *deferred_next;
    size_t deferred_count;
#endif
};

enum {
    /* Bytes in front of the first block, such that payloads are aligned. */
    SPAN_HEADER =
        ((sizeof(struct span) + BLOCK_HEADER + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) - BLOCK_HEADER,
    /* Bytes behind the last block: sizes are multiples of ALIGNMENT, and so is what lies between
       the first block and the last one's end. */
    SPAN_TAIL = (ALIGNMENT - BLOCK_HEADER) % ALIGNMENT,
};

_Static_assert(offsetof(struct span, size) == 0, "block.h reads it there");

/* All spans of a heap. Zero-initialised is empty. */
struct spans {
    struct span *first;
    size_t count;
    size_t mapped;             /* bytes of all spans */
    size_t dedicated;          /* bytes of those of that kind */
    enum misuse_caller caller; /* the function that is at work, for a fatal message */

    /* The span cache's: see span_cache.h. */
    struct span *cached; /* last emptied first; or NULL */
    size_t cached_count; /* at most BUILD_SPANS_CACHED, unless the system refused to take some */
    size_t cached_bytes;
    size_t used_peak;   /* the most bytes of spans that were not cached, fading */
    size_t cache_limit; /* bytes of empty spans that are cached, if above SPAN_CACHE_FIRST */
    size_t returned;    /* size of the span that was last too much to cache; 0: asked for again */
    size_t returned_count; /* how many were too much and not asked for again */
    size_t missed;         /* what cache_limit would have had to be to keep the last one */
    size_t refusals;       /* how often the system did not take a span */

    uint64_t huge_lost_ns; /* what slow huge pages have cost: see prefault.h */
};

static inline struct block *span_first_block(struct span *span)
{
    return (struct block *)((char *)span + SPAN_HEADER);
}

static inline struct block *span_end(struct span *span)
{
    return (struct block *)((char *)span + span->size - SPAN_TAIL);
}

static inline bool span_holds(struct span *span, const void *p)
{
    return (const char *)p >= (char *)span_first_block(span) &&
           (const char *)p < (char *)span_end(span);
}

/* For a fatal message: the function that works on the span's heap. */
static inline enum misuse_caller span_caller(const struct span *span)
{
    return ((const struct spans *)span->heap)->caller;
}

/* Bytes of the smallest span that has room for a block of `gross` bytes. */
size_t span_size_for(size_t gross);

/*
 * Maps a span of `size` bytes (from span_size_for or larger; whole pages), links it into the list,
 * with no blocks in it yet. NULL and ENOMEM if the system has no memory.
 */
struct span *span_map(struct spans *spans, size_t size);
/* The same of OS_HUGE_PAGE bytes at a multiple of that; `huge`: on a huge page if the system has
   one. */
struct span *span_map_huge(struct spans *spans, bool huge);
/*
 * The same for a span that has room for one block of `gross` bytes whose payload lies at a multiple
 * of `align`, a power of two and a page at least. The block's place is in *block; nothing is
 * written there. NULL: the system refused to take back what is in front of it, and that is more
 * than a block's distance from its span can be.
 */
struct span *span_map_aligned(struct spans *spans, size_t align, size_t gross,
                              struct block **block);

/* Makes all of a span without blocks one free block, in its bin; whatever was in its bins. */
void span_fill(struct span *span);

/* Makes a span one of another kind. */
void span_set_kind(struct spans *spans, struct span *span, enum span_kind kind);

/* Put a span into the list of all and take it out; its size and kind are counted there. */
void span_link(struct spans *spans, struct span *span);
void span_unlink(struct spans *spans, struct span *span);

/* Unlinks a span that is not cached and returns it to the system; false if that was refused, and
   nothing changed. */
bool span_unmap(struct spans *spans, struct span *span);

/*
 * Enlarges a span to `size` bytes, possibly moving it: whoever points into it or into its blocks
 * must be told. The span's new place; NULL and ENOMEM if the system refused, and nothing changed.
 */
struct span *span_remap(struct spans *spans, struct span *span, size_t size);

/* Returns the whole pages past `used` bytes of the span to the system, if there are any: the
   caller has made sure that no block lies there. The new size is in span->size. */
void span_trim(struct spans *spans, struct span *span, size_t used);

/* Blocks and bins of a span. Inline is what runs in nearly every malloc and free. */

/* A link of a free block that a write after free has hit is hardly one into the same span. Blocks
   that it names are not looked at: that would cost a cache miss in each malloc and free. */
static inline bool link_is_possible(struct span *span, struct block *link)
{
    return !link || (span_holds(span, link) && (uintptr_t)block_payload(link) % ALIGNMENT == 0);
}

static inline void links_check(struct span *span, unsigned bin, struct block *block)
{
    bool hold = link_is_possible(span, block->next) && link_is_possible(span, block->prev) &&
                (block->prev || span->bins.first[bin] == block);
    if (__builtin_expect(!hold, 0))
        misuse_abort(span_caller(span), block_payload(block), "free block was written to");
}

/* Makes `gross` bytes behind a used block, or at the start of the span, a free block in its bin. */
static inline void span_bin(struct span *span, struct block *block, size_t gross)
{
    block_make_free(block, span, gross, true);
    bins_put(&span->bins, bin_of(gross), block);
}

/* Takes a free block out of its bin; fatal if its links are impossible. */
static inline void span_unbin(struct span *span, struct block *block)
{
    unsigned bin = bin_of(block_size(block));
    links_check(span, bin, block);
    bins_take(&span->bins, bin, block);
}

/* Gives a free block a new size, and so perhaps another bin; fatal as above. */
static inline void span_rebin(struct span *span, struct block *block, size_t gross)
{
    unsigned from = bin_of(block_size(block)), to = bin_of(gross);
    if (from != to)
        links_check(span, from, block);
    bins_resize(&span->bins, from, to, block, gross);
}

/* What is left of `room` bytes when `gross` of them are taken: enough for a block, or 0, and then
   all of it is to be taken. */
static inline size_t block_rest(size_t room, size_t gross)
{
    return room - gross < BLOCK_MIN ? 0 : room - gross;
}

/* Tells the block at `next`, if the span does not end there, whether the one before it is used. */
static inline void span_tell(struct span *span, struct block *next, bool used)
{
    if (next != span_end(span))
        block_set_prev_used(next, used);
}

#endif
