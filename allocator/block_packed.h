/*
 * The header of a block in 8 bytes, for libspan-fast: the owning span stands in it as a distance.
 * Only block.h includes this file.
 *
 *     +--------------------------+
 *     | gross size       | P | U |  4 bytes: tag, written under the lock of the heap only
 *     | distance / 16            |  3 bytes: where the owning span is
 *     | magic                    |  1 byte, written by who has the block
 *     +--------------------------+
 *
 * The distance is that of the payload from the span's start. A block of 4 GiB or more has no size
 * in its tag: it reaches to the end of its span. Tag and magic are apart since they are written by
 * different threads: P by one that frees the block in front, magic by one that frees this block.
 * Both are atomic, in relaxed order: a sweep looks at blocks that others have.
 * Magic is the last byte, which is 0 or 0xff in most numbers and addresses, and in text below 0x80.
 */
#ifndef ALLOCATOR_BLOCK_PACKED_H
#define ALLOCATOR_BLOCK_PACKED_H

#include "block_flags.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_HEADER = 8, /* bytes before a payload */
    BLOCK_MIN = 32,   /* smallest gross size: a free block's header, two links and a footer */
    BLOCK_DISTANCE_BITS = 24,
};

/* Arbitrary values, different from each other, from zero and from what text is made of. */
enum block_magic {
    BLOCK_MAGIC_USED = 0xb1,
    BLOCK_MAGIC_FREE = 0x8e,
    BLOCK_MAGIC_CACHED = 0xf7,   /* used as far as its heap knows, but freed by the program */
    BLOCK_MAGIC_DEFERRED = 0xc3, /* free, but not merged with its neighbours yet */
    /* Not a block, but the place in one where an aligned payload begins: its tag is the distance
       to the block's own payload. */
    BLOCK_MAGIC_INNER = 0x9d,
};

/* Whether such a block is in use as far as its heap knows. */
static inline bool block_magic_is_used(enum block_magic magic)
{
    return magic == BLOCK_MAGIC_USED || magic == BLOCK_MAGIC_CACHED ||
           magic == BLOCK_MAGIC_DEFERRED;
}

/* Whether free has been called for such a block. */
static inline bool block_magic_is_freed(enum block_magic magic)
{
    return magic == BLOCK_MAGIC_FREE || magic == BLOCK_MAGIC_CACHED ||
           magic == BLOCK_MAGIC_DEFERRED;
}

/* Blocks larger than this reach to the end of their span, for want of room in the tag. */
static const size_t BLOCK_TAG_MAX = UINT32_MAX & ~(uint32_t)BLOCK_FLAGS;
/* How far from its span's start a payload can be. */
static const size_t BLOCK_DISTANCE_MAX = (((size_t)1 << BLOCK_DISTANCE_BITS) - 1) * ALIGNMENT;

struct block {
    _Atomic uint32_t tag;  /* gross size (a multiple of ALIGNMENT) or 0 | enum block_flag */
    uint16_t distance_low; /* distance / ALIGNMENT */
    uint8_t distance_high;
    _Atomic uint8_t magic; /* enum block_magic */
    /* Payload while the block is used; valid only while it is free: neighbours in its bin. */
    struct block *next;
    struct block *prev;
};

static inline uint32_t block_tag(const struct block *block)
{
    return atomic_load_explicit(&block->tag, memory_order_relaxed);
}

static inline unsigned block_flags(const struct block *block)
{
    return block_tag(block) & BLOCK_FLAGS;
}

static inline enum block_magic block_magic(const struct block *block)
{
    return (enum block_magic)atomic_load_explicit(&block->magic, memory_order_relaxed);
}

static inline size_t block_distance(const struct block *block)
{
    return ((size_t)block->distance_low | (size_t)block->distance_high << 16) * ALIGNMENT;
}

static inline struct span *block_owner(const struct block *block)
{
    return (struct span *)((uintptr_t)block + BLOCK_HEADER - block_distance(block));
}

/* The gross size as it stands in the tag: 0 for what is larger than BLOCK_TAG_MAX. */
static inline size_t block_tag_size(const struct block *block)
{
    return block_tag(block) & ~(uint32_t)BLOCK_FLAGS;
}

static inline size_t block_size(const struct block *block)
{
    size_t gross = block_tag_size(block);
    if (__builtin_expect(gross == 0, 0)) /* the span's size is its first field */
        return *(const size_t *)block_owner(block) - block_distance(block);
    return gross;
}

static inline void block_set_tag(struct block *block, size_t gross, unsigned flags)
{
    uint32_t tag = gross > BLOCK_TAG_MAX ? flags : (uint32_t)gross | flags;
    atomic_store_explicit(&block->tag, tag, memory_order_relaxed);
}

static inline void block_set_prev_used(struct block *block, bool used)
{
    uint32_t tag = block_tag(block);
    tag = used ? tag | BLOCK_PREV_USED : tag & ~(uint32_t)BLOCK_PREV_USED;
    atomic_store_explicit(&block->tag, tag, memory_order_relaxed);
}

/* Changes the magic only: the block is the caller's. */
static inline void block_mark(struct block *block, enum block_magic magic)
{
    atomic_store_explicit(&block->magic, (uint8_t)magic, memory_order_relaxed);
}

static inline void block_set_owner(struct block *block, struct span *span, enum block_magic magic)
{
    size_t distance = (uintptr_t)block + BLOCK_HEADER - (uintptr_t)span;
    block->distance_low = (uint16_t)(distance / ALIGNMENT);
    block->distance_high = (uint8_t)(distance / ALIGNMENT >> 16);
    block_mark(block, magic);
}

#endif
