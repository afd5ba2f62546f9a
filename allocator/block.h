/*
 * Blocks and their boundary tags: layout and pointer arithmetic, nothing else. No function here
 * knows of lists, spans or the system; all of them work on plain memory.
 *
 * A span is tiled by blocks without a gap. In use and free, lowest address on top:
 *
 *     in use                             free
 *     +--------------------------+       +--------------------------+  <- block, 16-aligned
 *     | gross size       | P | U |       | gross size       | P | U |  8 bytes: tag
 *     | magic |   owning span    |       | magic |   owning span    |  8 bytes: owner
 *     +--------------------------+       +--------------------------+  <- payload, 16-aligned
 *     |                          |       | next in the bin          |
 *     | payload: all of it is    |       | prev in the bin          |
 *     | the caller's             |       | poison                   |
 *     |                          |       | gross size (footer)      |
 *     +--------------------------+       +--------------------------+  <- the next block
 *
 *     U: this block is used.   P: the physically previous block is used, so there is no footer
 *     in front of this one. The first block of a span has P set.
 */
#ifndef ALLOCATOR_BLOCK_H
#define ALLOCATOR_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span;

enum {
    ALIGNMENT = 16,                               /* of headers, sizes and payloads */
    BLOCK_HEADER = 16,                            /* bytes before a payload */
    BLOCK_FOOTER = sizeof(size_t),                /* last bytes of a free block */
    BLOCK_MIN = 64,                               /* smallest gross size */
    BLOCK_PAYLOAD_MIN = BLOCK_MIN - BLOCK_HEADER, /* what malloc(0) may use */
    BLOCK_POISON = 0xdf,                          /* arbitrary; reads as neither 0 nor text, and
                                                     8 of them are no address a program can have */
};

enum block_flag { BLOCK_USED = 1, BLOCK_PREV_USED = 2, BLOCK_FLAGS = ALIGNMENT - 1 };

/* Arbitrary 16-bit values, different in every byte from each other and from poison and zero. */
enum block_magic { BLOCK_MAGIC_USED = 0xb10c, BLOCK_MAGIC_FREE = 0x4ee5 };

struct block {
    size_t tag;     /* gross size (a multiple of ALIGNMENT) | enum block_flag */
    uint64_t owner; /* address of the span in the low 48 bits, enum block_magic above */
    /* Payload while the block is used; valid only while it is free: neighbours in its bin. */
    struct block *next;
    struct block *prev;
};

_Static_assert(offsetof(struct block, next) == BLOCK_HEADER, "a used block's header is 16 bytes");
_Static_assert(sizeof(struct block) + BLOCK_FOOTER <= BLOCK_MIN, "a free block holds its fields");

static const unsigned BLOCK_OWNER_BITS = 48;
/* The largest request whose gross size is still a sensible distance between pointers. */
static const size_t BLOCK_REQUEST_MAX = PTRDIFF_MAX - (1 << 20);

/* Gross size of a block for a request of at most BLOCK_REQUEST_MAX bytes. */
static inline size_t block_gross(size_t request)
{
    size_t gross = (request + BLOCK_HEADER + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return gross < BLOCK_MIN ? BLOCK_MIN : gross;
}

static inline size_t block_size(const struct block *block)
{
    return block->tag & ~(size_t)BLOCK_FLAGS;
}

static inline bool block_is_free(const struct block *block)
{
    return (block->tag & BLOCK_USED) == 0;
}

static inline bool block_prev_is_free(const struct block *block)
{
    return (block->tag & BLOCK_PREV_USED) == 0;
}

static inline void block_set_size(struct block *block, size_t gross)
{
    block->tag = gross | (block->tag & BLOCK_FLAGS);
}

static inline void block_set_prev_used(struct block *block, bool used)
{
    block->tag = used ? block->tag | BLOCK_PREV_USED : block->tag & ~(size_t)BLOCK_PREV_USED;
}

static inline enum block_magic block_magic(const struct block *block)
{
    return (enum block_magic)(block->owner >> BLOCK_OWNER_BITS);
}

static inline struct span *block_owner(const struct block *block)
{
    return (struct span *)(uintptr_t)(block->owner & ((UINT64_C(1) << BLOCK_OWNER_BITS) - 1));
}

static inline void block_set_owner(struct block *block, struct span *span, enum block_magic magic)
{
    block->owner = (uint64_t)(uintptr_t)span | (uint64_t)magic << BLOCK_OWNER_BITS;
}

/* Writes the whole header of a used block. */
static inline void block_make_used(struct block *block, struct span *span, size_t gross,
                                   bool prev_used)
{
    block->tag = gross | BLOCK_USED | (prev_used ? BLOCK_PREV_USED : 0);
    block_set_owner(block, span, BLOCK_MAGIC_USED);
}

/* The footer's place, by the size in the tag. */
static inline size_t *block_footer(struct block *block)
{
    return (size_t *)((char *)block + block_size(block) - BLOCK_FOOTER);
}

/* Writes header and footer of a free block; its place in a bin is not touched. */
static inline void block_make_free(struct block *block, struct span *span, size_t gross,
                                   bool prev_used)
{
    block->tag = gross | (prev_used ? BLOCK_PREV_USED : 0);
    block_set_owner(block, span, BLOCK_MAGIC_FREE);
    *block_footer(block) = gross;
}

static inline void *block_payload(struct block *block)
{
    return (char *)block + BLOCK_HEADER;
}

static inline size_t block_payload_size(const struct block *block)
{
    return block_size(block) - BLOCK_HEADER;
}

static inline struct block *block_from_payload(const void *p)
{
    return (struct block *)((uintptr_t)p - BLOCK_HEADER);
}

static inline struct block *block_at(struct block *block, size_t offset)
{
    return (struct block *)((char *)block + offset);
}

/* The physically next block, or the end of the span if this is the last one. */
static inline struct block *block_after(struct block *block)
{
    return block_at(block, block_size(block));
}

/* The size that the footer in front of a block says its free predecessor has. */
static inline size_t block_size_before(const struct block *block)
{
    return *(const size_t *)((const char *)block - BLOCK_FOOTER);
}

/* The physically previous block; only where block_prev_is_free. */
static inline struct block *block_before(struct block *block)
{
    return (struct block *)((char *)block - block_size_before(block));
}

#endif
