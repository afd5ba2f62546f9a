/*
 * The header of a block as the design has it, 16 bytes: size and flags, magic and owner. Only
 * block.h includes this file.
 *
 *     +--------------------------+
 *     | gross size       | P | U |  8 bytes: tag
 *     | magic |   owning span    |  8 bytes: owner
 *     +--------------------------+
 */
#ifndef ALLOCATOR_BLOCK_PLAIN_H
#define ALLOCATOR_BLOCK_PLAIN_H

#include "block_flags.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_HEADER = 16, /* bytes before a payload */
    BLOCK_MIN = 64,    /* smallest gross size */
};

/* Arbitrary 16-bit values, different in every byte from each other and from poison and zero. */
enum block_magic {
    BLOCK_MAGIC_USED = 0xb10c,
    BLOCK_MAGIC_FREE = 0x4ee5,
    /* Used, as far as its heap knows, but with what verified.h puts into it; and freed then, but
       not given to the heap yet. */
    BLOCK_MAGIC_VERIFIED = 0x5ea1,
    BLOCK_MAGIC_QUARANTINED = 0x7a93,
};

/* Whether such a block is in use as far as its heap knows. */
static inline bool block_magic_is_used(enum block_magic magic)
{
    return magic == BLOCK_MAGIC_USED || magic == BLOCK_MAGIC_VERIFIED ||
           magic == BLOCK_MAGIC_QUARANTINED;
}

/* Whether free has been called for such a block. */
static inline bool block_magic_is_freed(enum block_magic magic)
{
    return magic == BLOCK_MAGIC_FREE || magic == BLOCK_MAGIC_QUARANTINED;
}

struct block {
    size_t tag;     /* gross size (a multiple of ALIGNMENT) | enum block_flag */
    uint64_t owner; /* address of the span in the low 48 bits, enum block_magic above */
    /* Payload while the block is used; valid only while it is free: neighbours in its bin. */
    struct block *next;
    struct block *prev;
};

static const unsigned BLOCK_OWNER_BITS = 48;
/* Blocks larger than this reach to the end of their span, for want of room in the tag: none. */
static const size_t BLOCK_TAG_MAX = SIZE_MAX;
/* How far from its span's start a payload can be. */
static const size_t BLOCK_DISTANCE_MAX = SIZE_MAX;

static inline size_t block_size(const struct block *block)
{
    return block->tag & ~(size_t)BLOCK_FLAGS;
}

static inline unsigned block_flags(const struct block *block)
{
    return block->tag & BLOCK_FLAGS;
}

static inline enum block_magic block_magic(const struct block *block)
{
    return (enum block_magic)(block->owner >> BLOCK_OWNER_BITS);
}

static inline struct span *block_owner(const struct block *block)
{
    return (struct span *)(uintptr_t)(block->owner & ((UINT64_C(1) << BLOCK_OWNER_BITS) - 1));
}

static inline void block_set_tag(struct block *block, size_t gross, unsigned flags)
{
    block->tag = gross | flags;
}

static inline void block_set_prev_used(struct block *block, bool used)
{
    block->tag = used ? block->tag | BLOCK_PREV_USED : block->tag & ~(size_t)BLOCK_PREV_USED;
}

static inline void block_set_owner(struct block *block, struct span *span, enum block_magic magic)
{
    block->owner = (uint64_t)(uintptr_t)span | (uint64_t)magic << BLOCK_OWNER_BITS;
}

/* Changes the magic only. */
static inline void block_mark(struct block *block, enum block_magic magic)
{
    block_set_owner(block, block_owner(block), magic);
}

#endif
