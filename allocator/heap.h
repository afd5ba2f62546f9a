/*
 * The heap: allocate, free, resize, align. An instance is a struct heap; there may be any number,
 * and none of them locks: the public functions (libspan.h) keep one behind a mutex.
 *
 * A request goes to the span whose largest free block is the smallest that suffices, and inside
 * that span to the smallest bin that suffices: full spans fill up, emptying ones can drain and go
 * back to the system. The empty span that is kept comes last. A block larger than BIN_LARGE gets a
 * span of its own, unless some span happens to have room.
 *
 * All functions that allocate return NULL and set errno to ENOMEM where the request is too large or
 * the system has no memory; nothing has changed then. Pointers that are not a live block's payload
 * are fatal (misuse.h); `function` is named in the message.
 */
#ifndef ALLOCATOR_HEAP_H
#define ALLOCATOR_HEAP_H

#include "span.h"

enum {
    /* Ordinary spans grow with the heap, an eighth of what is mapped each time, so that a large
       heap is not thousands of mappings, up to this size. */
    HEAP_SPAN_MAX = 1024 * 1024,
    HEAP_SPAN_SHARE = 8,
    HEAP_WALK_MAX = 8, /* spans looked at where some may have a block that fits; arbitrary */
};

/* Zero-initialised is an empty heap. */
struct heap {
    struct spans spans;
    /* Spans with a free block by their highest bin, the cached one left out; bit i of the map:
     * filed[i] is not NULL. */
    uint64_t filed_map;
    struct span *filed[BINS];
};

/* The bin that a span is to be filed under; -1: none. */
int heap_filing_bin(const struct heap *heap, const struct span *span);

/* `request` bytes, 16-aligned; a request of 0 is served with BLOCK_PAYLOAD_MIN bytes. */
void *heap_allocate(struct heap *heap, size_t request);
/* The same, zeroed. Pages fresh from the system are not written to. */
void *heap_allocate_zeroed(struct heap *heap, size_t request);
/* The same at a multiple of `align`, a power of two. */
void *heap_allocate_aligned(struct heap *heap, size_t align, size_t request);

/* Frees a block. errno is kept. */
void heap_free(struct heap *heap, void *p, const char *function);

/*
 * Gives the block at p room for `request` bytes, in place where it or a free neighbour allows
 * it, else elsewhere; contents are kept up to the smaller size. On failure the block is as it was.
 */
void *heap_resize(struct heap *heap, void *p, size_t request, const char *function);

/* Bytes that the caller may use at p. */
size_t heap_usable_size(void *p, const char *function);

#endif
