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
 *     +-------------------------+  <- start + size (- 8 where headers have 8 bytes)
 */
#ifndef ALLOCATOR_SPAN_H
#define ALLOCATOR_SPAN_H

#include "bins.h"

enum {
    SPAN_MIN = 64 * 1024, /* least bytes asked of the system; from the design */
    /*
     * Bytes of empty spans that are kept at first. Arbitrary within wide limits: 1 MiB costs a
     * program little, and faulting its 256 pages in again would cost some 300 us.
     */
    SPAN_KEEP_FIRST = 1024 * 1024,
    /* Where that limit ends when it grows with the spans that were returned too early. The largest
       mmap threshold of glibc, so that both keep the same blocks in reach. */
    SPAN_KEEP_LAST = 32 * 1024 * 1024,
    /* And how many of the spans that were returned too early it may come to. */
    SPAN_KEEP_FEW = 8,
    /*
     * Where BUILD_CUTS_KEPT, as many bytes of empty spans may be kept as dedicated spans have,
     * times this: a program whose large blocks come and go will need them again. With 3
     * large-traffic has 1.4 times the page faults, with 1 over four times.
     */
    SPAN_KEEP_TIMES = 4,
    /*
     * But before the heap grows beyond what it once was, empty spans go back, down to this share of
     * the spans that are in use (or the limit above): those that suit no request are worth this
     * much. A quarter saves a third of replace-large's page faults and takes 5 % more memory.
     */
    SPAN_SPARE_SHARE = 8,
    /* The part by which the memory of that fades with each span that becomes empty; arbitrary. */
    SPAN_FADE_SHARE = 1024,
    /* Less is not cut off an empty span for a large block: it would serve none. BIN_LARGE. */
    SPAN_CUT_LEAST = 128 * 1024,
    /* Bytes of a span that large blocks share: one of them can hold as many pages whose blocks were
       freed, and as many are kept when all of them have gone. Arbitrary: half has a fifth more
       page faults. */
    SPAN_SHARED_BYTES = 4 * 1024 * 1024,
    /*
     * A huge page that takes longer than this is no gain over 512 small ones (1.3 us each): the
     * system had to find it first, or the host of a virtual machine had. So many spans do without
     * then as it took times longer: small pages have made good the loss by then. Twice as many as
     * the last time are added if that was of no use.
     */
    SPAN_HUGE_SLOW_NS = 700 * 1000,
};

/* Small blocks settle in ordinary spans only: in the others they would hold all the pages that a
   large one leaves. */
enum span_kind {
    SPAN_ORDINARY,  /* any block; filed */
    SPAN_SHARED,    /* large blocks; not filed */
    SPAN_DEDICATED, /* one large block; not filed */
    SPAN_KEPT,      /* no block */
};

/*
 * A span is filed under each of its bins from SPAN_FILED_FROM on, so that a larger request finds
 * the block of the heap that fits it best; or, where it has none of these, under its highest one.
 * Smaller blocks are not worth a list in each span: what is left of one is small as well.
 */
enum {
    SPAN_FILED_BYTES = 8192, /* gross sizes in the first such bin; a page */
    SPAN_FILED_LOG2 = 13,
    SPAN_FILED_FROM = BINS_EXACT + (SPAN_FILED_LOG2 - BIN_EXACT_LOG2) * BINS_A_DOUBLING,
    SPAN_FILES = BINS - SPAN_FILED_FROM + 1, /* lists that a span is in at the most */
};

_Static_assert(SPAN_FILED_BYTES == 1 << SPAN_FILED_LOG2, "where bins are filed one by one");

/* Which of a span's links are those of the file of `bin`. */
static inline unsigned span_file_of(unsigned bin)
{
    return bin < SPAN_FILED_FROM ? 0 : bin - SPAN_FILED_FROM + 1;
}

/* A span's neighbours in a list. */
struct span_links {
    struct span *prev;
    struct span *next;
};

struct span {
    size_t size;       /* bytes of the mapping, this header included; whole pages */
    struct span *prev; /* neighbours in the list of all spans; no order is promised */
    struct span *next;
    size_t blkcount;  /* blocks in use; 0: the span is empty */
    struct bins bins; /* the free list; nothing in it while every byte is in use */

    /*
     * The heap's, whose span it is. Spans that are kept are not filed and use the first links for
     * the list of those.
     */
    struct heap *heap;
    uint64_t filed_map; /* bit i: filed under bin i */
    struct span_links filed[SPAN_FILES];
    enum span_kind kind;

    /* The heap's, too: blocks that are free but not merged yet, linked by next, and the list of
       spans that have such blocks. */
    struct block *loose;
    size_t loose_count;
    struct span *loose_prev;
    struct span *loose_next;
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
    struct span *kept; /* the empty spans that are kept, last emptied first; or NULL */
    size_t kept_count; /* at most BUILD_SPANS_KEPT, unless the system refused to take some */
    size_t kept_bytes;
    size_t count;
    size_t mapped;     /* bytes of all spans */
    size_t dedicated;  /* bytes of those of that kind */
    size_t used_peak;  /* the most bytes of spans that were not kept, fading (SPAN_FADE_SHARE) */
    size_t keep_max;   /* bytes of empty spans that are kept, if above SPAN_KEEP_FIRST */
    size_t returned;   /* size of the span that was last too much to keep; 0: asked for again */
    size_t missed;     /* what keep_max would have had to be to keep that one */
    size_t refusals;   /* how often the system did not take a span */
    size_t huge_pause; /* spans that did without a huge page when one was slow last, halved by
                          each that was quick since */
    size_t huge_wait;  /* how many are still to do without */
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

/* Bytes of the smallest span that has room for a block of `gross` bytes. */
size_t span_size_for(size_t gross);

/*
 * Maps a span of `size` bytes (from span_size_for or larger; whole pages), links it into the list,
 * with no blocks in it yet. NULL and ENOMEM if the system has no memory.
 */
struct span *span_map(struct spans *spans, size_t size);
/* The same of OS_HUGE_PAGE bytes, on a huge page if the system has one, as long as those that it
   gave came quickly. */
struct span *span_map_huge(struct spans *spans);

/* Makes all of a span without blocks one free block, in its bin. */
void span_fill(struct span *span);
/* The same, whatever was in its bins. */
void span_refill(struct span *span);

/* Makes a span one of another kind, which is kept neither before nor after. */
void span_set_kind(struct spans *spans, struct span *span, enum span_kind kind);

/*
 * The same for a span that has room for one block of `gross` bytes whose payload lies at a multiple
 * of `align`, a power of two and a page at least. The block's place is in *block; nothing is
 * written there. NULL: the system refused to take back what is in front of it, and that is more
 * than a block's distance from its span can be.
 */
struct span *span_map_aligned(struct spans *spans, size_t align, size_t gross,
                              struct block **block);

/*
 * Whether a span that becomes empty now is to be kept: if it is not too large, and, where only one
 * is kept, larger than that one. What is too large is learnt: a span that was returned and then
 * asked for again should have been kept, so that programs which allocate and free large blocks in
 * turn do not fault them in each time.
 */
bool span_is_worth_keeping(struct spans *spans, const struct span *span);

/* Whether another span must go before one of `size` bytes is kept. */
bool spans_are_too_many(const struct spans *spans, size_t size);

/* Puts an empty span into the list of those that are kept. */
void span_keep(struct spans *spans, struct span *span);
/* Takes it out, as a span of another kind. */
void span_unkeep(struct spans *spans, struct span *span, enum span_kind kind);

/* Returns the kept span that was emptied first to the system, in favour of one of `size` bytes; or,
   where BUILD_CUTS_KEPT, as much of it as is too much. False if the system refused, and all of the
   span is kept still. */
bool spans_evict(struct spans *spans, size_t size);
/* Where BUILD_CUTS_KEPT: returns what is kept beyond the limit, which falls as dedicated spans go.
 */
void spans_return_excess(struct spans *spans);

/* Where BUILD_CUTS_KEPT: makes what an empty span has beyond `size` bytes (whole pages, with
   SPAN_MIN at least behind them) another span, which is kept. The first one, filled, is not. */
void span_split(struct spans *spans, struct span *span, size_t size);
/* And the other way round: an empty span that is about to be kept, filled, with all kept ones that
   touch it. */
struct span *span_merge_kept(struct spans *spans, struct span *span);

/* Unlinks a span, kept or not, and returns it to the system; false if that was refused, and nothing
   changed. */
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
