/*
 * The live blocks of a trace that is being read: finds a block by its serial (the number that the
 * file names it by) and gives new blocks the lowest slot that is free. Private to the reader.
 *
 *   directory   by serial / 64     +------+------+------+---
 *                                  | leaf | none | leaf | ...     and how many live in it
 *                                  +--|---+------+--|---+---
 *   leaves      by serial % 64     [0 5 0 0 2 ...] [1 0 4 ...]    1 + slot; 0: not live
 *
 * Serials are given one after the other, so no hashing is needed. A leaf in which nothing lives any
 * more is used again. Bytes: 8 for each 64 serials up to the last one, 256 for each leaf in use (at
 * most one for each live block), 17 for each slot.
 */
#ifndef WORKLOADS_SLOTS_H
#define WORKLOADS_SLOTS_H

#include "trace_format.h"

enum {
    SLOTS_LEAF = 64,
    SLOTS_LEVELS = 6, /* 64^6 slots are more than a uint32_t can name */
};

/* An entry of the directory. */
struct slots_leaf {
    uint32_t number; /* in `leaves`; leaf 0 is empty for ever */
    uint32_t live;   /* blocks in it */
};

struct slots {
    struct slots_leaf *directory;
    size_t directory_capacity;
    uint32_t (*leaves)[SLOTS_LEAF]; /* a free one begins with the number of the next; 0: the last */
    size_t leaves_capacity;
    uint32_t leaves_used; /* leaves below this were used at some time */
    uint32_t leaves_free; /* the first one; 0: none */

    struct live_block *blocks; /* by slot */
    size_t capacity;
    uint32_t words;  /* of level 0 in use */
    uint32_t free;   /* slots in them that are free */
    uint32_t lowest; /* the first word with a free slot, if there is one */
    /* Free slots: level 0 has a bit a slot, level n + 1 a bit for each word of level n that is not
       0. The top level in use has one word. */
    uint64_t *level[SLOTS_LEVELS];
    size_t level_capacity[SLOTS_LEVELS];
    unsigned height; /* levels in use */
};

/* All zero is an empty set. Returns the slot, its block as it was left (at first zero), or
   TRACE_NO_SLOT and errno when memory is out. */
uint32_t slots_make(struct slots *slots, uint64_t serial);
/* The live block of this slot and serial goes by another serial; false and errno when memory
   is out. */
bool slots_rename(struct slots *slots, uint32_t slot, uint64_t serial, uint64_t renamed);
/* The live block of this slot and serial ends. */
void slots_free(struct slots *slots, uint32_t slot, uint64_t serial);
/* Unmaps everything; the set is empty afterwards. */
void slots_close(struct slots *slots);
size_t slots_mapped(const struct slots *slots); /* bytes */

/* TRACE_NO_SLOT: no live block has this serial. */
static inline uint32_t slots_find(const struct slots *slots, uint64_t serial)
{
    uint64_t i = serial / SLOTS_LEAF;
    if (i >= slots->directory_capacity)
        return TRACE_NO_SLOT;
    return slots->leaves[slots->directory[i].number][serial % SLOTS_LEAF] - 1;
}

#endif
