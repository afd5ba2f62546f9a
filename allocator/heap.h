/*
 * The heap: allocate, free, resize, align. An instance is a struct heap; there may be any number,
 * and none of them locks: a heap that threads share stands behind a lock (guard.h).
 *
 * A request goes to the span whose largest free block is the smallest that suffices, and inside
 * that span to the smallest bin that suffices: full spans fill up, emptying ones can drain. One of
 * SPAN_FILED_BYTES or more goes to the smallest block that suffices in any span, as far as looking
 * at a few tells: the rests of large blocks are what makes a heap grow that lives long. A span
 * that is empty is kept, or goes back to the system (span.h). Where only memory worth sparing is
 * found, or none, loose blocks (see heap_free_run) are merged; then a kept span is used again; then
 * a new one is mapped.
 *
 * A block larger than BIN_LARGE goes first to a kept span that it uses most of, which may be
 * enlarged for it, then to any span with room, then to a new one. The kept or new span is dedicated
 * to it: no other block settles there, and it is resized with its block.
 * Where BUILD_SHARES_LARGE, one that fits twice into a shared span goes first to one of a few such
 * spans, unless it is to be zero or was made larger.
 *
 * All functions that allocate return NULL and set errno to ENOMEM where the request is too large or
 * the system has no memory; nothing has changed then. errno is kept where they succeed. Pointers
 * that are not a live block's payload are fatal (misuse.h); `function` is named in the message.
 */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "span.h"

enum {
    /* A heap grows by a part of what is mapped, so that it is not thousands of mappings: by larger
       ones where only one empty span is kept, for they are empty less often. */
    HEAP_SPAN_SHARE = SPAN_FAST ? 16 : 8,
    /* And, once a huge page is no more than a quarter of it, by huge pages: one page fault each,
       where 512 would cost several times the time. */
    HEAP_HUGE_SHARE = 4,
    /* Rather than cutting a block larger than this, loose blocks are merged: such a block may be
       memory that was never touched. A page. */
    HEAP_LOOSE_WORTH = 4096,
    /* A span is swept if one used block in so many is loose: a step of a sweep costs about a
       quarter of what merging a single block does. */
    HEAP_SWEEP_SHARE = 4,
    HEAP_WALK_MAX = 8, /* spans looked at where some may have a block that fits; arbitrary */
    /* Shared spans at a time: blocks of random sizes that are replaced at random leave gaps in
       them, which must not grow with the heap (without a limit, 235 MiB of them took 457). */
    HEAP_SHARED_MAX = 8,
};

/* Zero-initialised is an empty heap. */
struct heap {
    struct spans spans;
    /* Ordinary spans by bins in which they have something (see SPAN_FILED_FROM); bit i of the map:
       filed[i] is not NULL. */
    uint64_t filed_map;
    struct span *filed[BINS];
    struct span *shared[HEAP_SHARED_MAX]; /* the shared spans, or NULL */
    struct span *loose;                   /* spans with loose blocks */
    size_t taken; /* blocks that were allocated and not freed; those in fronts are among them */
    size_t taken_peak; /* the most of them after a run was allocated, since a front was drained */
};

/* `request` bytes, 16-aligned; a request of 0 is served with BLOCK_PAYLOAD_MIN bytes. */
void *heap_allocate(struct heap *heap, size_t request);
/* The same, zeroed. Where a span is mapped for the block alone, its pages are not written to. */
void *heap_allocate_zeroed(struct heap *heap, size_t request);
/* The same at a multiple of `align`, a power of two. */
void *heap_allocate_aligned(struct heap *heap, size_t align, size_t request);

/*
 * Up to `count` blocks of `gross` bytes (from block_gross, at most BIN_LARGE), or a little more
 * each, cut from the front of free ones: their payloads, of those from one free block the lowest
 * last. Their number; more than one only as far as no further span is needed for them; 0: no
 * memory.
 */
size_t heap_allocate_run(struct heap *heap, size_t gross, void **payloads, size_t count);

/* Frees a block. errno is kept. */
void heap_free(struct heap *heap, void *p, const char *function);

/*
 * Frees those of `count` blocks that are the heap's, each of them marked BLOCK_MAGIC_FRONT; the
 * payloads of the others move to the front of the array. Their number. errno is kept.
 *
 * The blocks are loose at first, marked BLOCK_MAGIC_LOOSE: they are merged with their neighbours
 * when the heap would else cut a block larger than HEAP_LOOSE_WORTH or grow; or never, if all other
 * blocks of their span are freed as well.
 */
size_t heap_free_run(struct heap *heap, void **payloads, size_t count, const char *function);

/* The used block whose payload is p, of whichever heap; everything that free touches anyway is
   checked, and a fault is fatal. */
struct block *heap_block_checked(void *p, enum block_magic magic, const char *function);

/*
 * Gives the block at p room for `request` bytes, in place where it or a free neighbour allows it,
 * else elsewhere; contents are kept up to the smaller size. A dedicated span grows and shrinks with
 * its block, so that the system moves pages where bytes would be copied; but the block goes to a
 * kept span that suits it better, and to the others when it is no longer large. On failure the
 * block is as it was.
 */
void *heap_resize(struct heap *heap, void *p, size_t request, const char *function);

/* Bytes that the caller may use at p. */
size_t heap_usable_size(void *p, const char *function);

#endif
