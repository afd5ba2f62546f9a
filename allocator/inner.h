/*
 * Payloads inside of blocks: an aligned one begins in a block with room for any misalignment, which
 * is cheaper than having the heap cut out the very block. What looks like its header says where the
 * block is.
 */
#ifndef ALLOCATOR_INNER_H
#define ALLOCATOR_INNER_H

#include "heap.h"

enum {
    /* Larger alignments are cut out of a free block by the heap: the room for any misalignment
       would be too much. */
    INNER_ALIGN_MAX = 256,
};

/* Bytes to ask for so that `request` bytes at a multiple of `align` are among them. */
static inline size_t inner_request(size_t align, size_t request)
{
    return request + align - ALIGNMENT;
}

/* The aligned payload inside of the block of payload p. */
static inline void *inner_make(void *p, size_t align)
{
    size_t offset = -(uintptr_t)p & (align - 1);
    if (offset == 0)
        return p;
    struct block *inner = block_from_payload((char *)p + offset);
    block_set_tag(inner, offset, 0);
    block_set_owner(inner, block_owner(block_from_payload(p)), BLOCK_MAGIC_INNER);
    return (char *)p + offset;
}

/* The block of a payload, which may be an inner one; *offset: how far inside. */
static inline struct block *inner_block(void *p, size_t *offset)
{
    struct block *inner = block_from_payload(p);
    *offset = 0;
    if ((uintptr_t)p % ALIGNMENT || block_magic(inner) != BLOCK_MAGIC_INNER ||
        !block_owner_is_possible(inner))
        return inner;
    *offset = block_size(inner);
    return block_from_payload((char *)p - *offset);
}

/* The block of a payload that is freed: checked, and an inner payload marked so that a second free
   of it is noticed. */
static inline struct block *inner_freed(void *p)
{
    size_t offset;
    struct block *block = inner_block(p, &offset);
    heap_block_checked(block_payload(block), BLOCK_MAGIC_USED, IN_FREE);
    if (offset)
        block_mark(block_from_payload(p), BLOCK_MAGIC_CACHED);
    return block;
}

#endif
