/*
 * The heap: allocate, free, resize, align. An instance is a struct heap; there may be any number,
 * and none of them locks: a heap that threads share stands behind a lock (arena.h).
 *
 * A request goes to the span whose largest free block is the smallest that suffices, and inside
 * that span to the smallest bin that suffices: full spans fill up, emptying ones can drain. One of
 * SPAN_INDEXED_BYTES or more goes to the smallest block that suffices in any span, as far as
 * looking at a few tells: the rests of large blocks are what makes a heap grow that lives long. A
 * span that is empty is cached, or goes back to the system (span_cache.h). Where no memory is
 * found, a cached span is used again; then a new one is mapped.
 *
 * A block larger than BIN_LARGE goes first to a cached span that it uses most of, which may be
 * enlarged for it, then to any span with room, then to a new one. The cached or new span is
 * dedicated to it: no other block settles there, and it is resized with its block.
 *
 * All functions that allocate return NULL and set errno to ENOMEM where the request is too large or
 * the system has no memory; nothing has changed then. errno is kept where they succeed. Pointers
 * that are not a live block's payload are fatal (misuse.h).
 */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "span_cache.h"

enum {
    /* A heap grows by a part of what is mapped, so that it is not thousands of mappings: by larger
       ones where only one empty span is cached, for they are empty less often. */
    HEAP_SPAN_SHARE = SPAN_FAST ? 16 : 8,
    /* And, once a huge page is no more than a quarter of it, by huge pages: one page fault each,
       where 512 would cost several times the time. */
    HEAP_HUGE_SHARE = 4,
    /* Under thp:always, by huge pages from so much on: small heaps, and those of threads that
       hardly allocate, need none. From 0 on, the corpus has 1.12 times the peak RSS, from 1 MiB on
       0.98 times it and twice the page faults. */
    HEAP_ALWAYS_FROM = 256 * 1024,
    HEAP_WALK_MAX = 8, /* spans looked at where some may have a block that fits; arbitrary */
    /* Shared spans at a time: blocks of random sizes that are replaced at random leave gaps in
       them, which must not grow with the heap (without a limit, 235 MiB of them took 457). */
    HEAP_SHARED_MAX = 8,
    /* Bytes of a span that large blocks share: one of them can hold as many pages whose blocks were
       freed, and as many are cached when all of them have gone. Arbitrary: half has a fifth more
       page faults. */
    HEAP_SHARED_BYTES = 4 * 1024 * 1024,
};

/* Zero-initialised is an empty heap. */
struct heap {
    struct spans spans; /* first: see span_caller */
    /* Ordinary spans by bins in which they have something (see SPAN_INDEXED_FROM); bit i of the
       map: index[i] is not NULL. */
    uint64_t indexed_map;
    struct span *index[BINS];
    size_t
        taken; /* blocks that were allocated and not freed; those in thread caches are among them */
#if SPAN_FAST
    struct span *deferred; /* spans with deferred blocks */
    size_t
        taken_peak; /* most of them after a run was allocated, since a thread cache was drained */
#else
    struct span *shared[HEAP_SHARED_MAX]; /* the shared spans, or NULL */
#endif
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
void heap_free(struct heap *heap, void *p);

/* The used block whose payload is p, of whichever heap; everything that free touches anyway is
   checked, and a fault is fatal. */
struct block *heap_block_checked(void *p, enum block_magic magic, enum misuse_caller caller);

/* End the program: p was freed before; the magic of the block is not the one that it should have.
 */
_Noreturn void heap_block_is_freed(void *p, enum misuse_caller caller);
_Noreturn void heap_block_is_wrong(const struct block *block, void *p, enum misuse_caller caller);

/*
 * Gives the block at p room for `request` bytes, in place where it or a free neighbour allows it,
 * else elsewhere; contents are kept up to the smaller size. A dedicated span grows and shrinks with
 * its block, so that the system moves pages where bytes would be copied; but the block goes to a
 * cached span that suits it better, and to the others when it is no longer large. On failure the
 * block is as it was.
 */
void *heap_resize(struct heap *heap, void *p, size_t request);

/* Bytes that the caller may use at p. */
size_t heap_usable_size(void *p);

#endif
