/*
 * The two builds of the allocator, and everything in which they differ: libspan keeps each sentence
 * of the design, libspan-fast (compiled with SPAN_FAST=1) bends those that cost time. What each
 * difference buys is measured in docs/allocator.md. (HEAP_SPAN_SHARE in heap.h has two values, and
 * block.h takes headers of 16 bytes from block_plain.h or of 8 bytes from block_packed.h.)
 *
 * What both demand stands here as well, so each file includes this before any header of the system.
 */
#ifndef ALLOCATOR_BUILD_H
#define ALLOCATOR_BUILD_H

#if __SIZEOF_POINTER__ != 8
#error "spanbench's allocator needs 64-bit pointers"
#endif

#ifdef __has_feature /* clang */
#define BUILD_HAS_FEATURE(name) __has_feature(name)
#else
#define BUILD_HAS_FEATURE(name) 0
#endif

#ifndef SPAN_FAST
#define SPAN_FAST 0
#endif

enum {
    /* Payloads of freed blocks are overwritten. */
    BUILD_POISONS = !SPAN_FAST,
    /* Small blocks are cut from the front of a free one, many at a time; else each from its end. */
    BUILD_CUTS_RUNS = SPAN_FAST,
    /* Empty spans that a heap keeps. */
    BUILD_SPANS_CACHED = SPAN_FAST ? 48 : 1,
    /* They are cut to size and merged where they touch, and large blocks that are live allow more
       bytes of them. */
    BUILD_CUTS_CACHED = SPAN_FAST,
    /* Large blocks share spans: one empty span serves all that come and go together. */
    BUILD_SHARES_LARGE = !SPAN_FAST,
    /* Heaps that threads share out among themselves. */
    BUILD_ARENAS = SPAN_FAST ? 16 : 1,
};

#endif
