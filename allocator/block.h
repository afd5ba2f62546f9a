/*
 * Blocks and their boundary tags: layout and pointer arithmetic, nothing else. No function here
 * knows of lists, spans or the system; all of them work on plain memory.
 *
 * A span is tiled by blocks without a gap. In use and free, lowest address on top:
 *
 *     in use                             free
 *     +--------------------------+       +--------------------------+  <- block
 *     | size, flags: P, U        |       | size, flags: P, U        |  tag
 *     | magic, owning span       |       | magic, owning span       |  owner
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

#include "block_flags.h"
#include "build.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_FOOTER = sizeof(size_t), /* last bytes of a free block */
    BLOCK_PAGE = 4096,             /* spans begin at multiples of this at least */
    BLOCK_POISON = 0xdf,           /* arbitrary; reads as neither 0 nor text, and 8 of them are no
                                      address a program can have */
};

#if SPAN_FAST
#include "block_packed.h"
#else
#include "block_plain.h"
#endif

enum { BLOCK_PAYLOAD_MIN = BLOCK_MIN - BLOCK_HEADER }; /* what malloc(0) may use */

_Static_assert(offsetof(struct block, next) == BLOCK_HEADER, "links begin where the payload does");
_Static_assert(sizeof(struct block) + BLOCK_FOOTER <= BLOCK_MIN, "a free block holds its fields");

/* The largest request whose gross size is still a sensible distance between pointers. */
static const size_t BLOCK_REQUEST_MAX = PTRDIFF_MAX - (1 << 20);

/* Gross size of a block for a request of at most BLOCK_REQUEST_MAX bytes. */
static inline size_t block_gross(size_t request)
{
    size_t gross = (request + BLOCK_HEADER + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return gross < BLOCK_MIN ? BLOCK_MIN : gross;
}

/* Whether the owner can be one, as far as its bits tell. */
static inline bool block_owner_is_possible(const struct block *block)
{
    return (uintptr_t)block_owner(block) % BLOCK_PAGE == 0;
}

static inline bool block_is_free(const struct block *block)
{
    return (block_flags(block) & BLOCK_USED) == 0;
}

static inline bool block_prev_is_free(const struct block *block)
{
    return (block_flags(block) & BLOCK_PREV_USED) == 0;
}

static inline void block_set_size(struct block *block, size_t gross)
{
    block_set_tag(block, gross, block_flags(block));
}

/* Writes the whole header of a used block. */
static inline void block_make_used(struct block *block, struct span *span, size_t gross,
                                   bool prev_used)
{
    block_set_tag(block, gross, BLOCK_USED | (prev_used ? BLOCK_PREV_USED : 0));
    block_set_owner(block, span, BLOCK_MAGIC_USED);
}

/* The footer's place, by the size in the tag. */
static inline size_t *block_footer(struct block *block)
{
    return (size_t *)((char *)block + block_size(block) - BLOCK_FOOTER);
}

static inline void block_set_footer(struct block *block, size_t gross)
{
    *(size_t *)((char *)block + gross - BLOCK_FOOTER) = gross;
}

/* Writes header and footer of a free block; its place in a bin is not touched. */
static inline void block_make_free(struct block *block, struct span *span, size_t gross,
                                   bool prev_used)
{
    block_set_tag(block, gross, prev_used ? BLOCK_PREV_USED : 0);
    block_set_owner(block, span, BLOCK_MAGIC_FREE);
    block_set_footer(block, gross);
}

/* Gives a free block another size, in header and footer; its place in a bin is not touched. */
static inline void block_set_free_size(struct block *block, size_t gross)
{
    block_set_size(block, gross);
    block_set_footer(block, gross);
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
