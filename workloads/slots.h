/*
 * The live blocks of a trace that is being read: finds a block by its serial (the number that the
 * file names it by) and gives new blocks the lowest slot that is free. Private to the reader.
 */
#ifndef WORKLOADS_SLOTS_H
#define WORKLOADS_SLOTS_H

#include "trace_format.h"

enum { SLOTS_LEVELS = 6 }; /* 64^6 slots are more than a uint32_t can name */

struct slots {
    struct live_block *blocks; /* by slot; serial 0: the slot is free */
    size_t capacity;
    uint64_t
        *table; /* open addressing: low 32 bits of the serial above, slot + 1 below; 0: empty */
    size_t table_size; /* a power of two */
    size_t found;      /* the entry that slots_find found last */
    uint32_t live;
    uint32_t used; /* slots below this were handed out at some time */
    /* Free slots below `used`: level 0 has a bit a slot, level n + 1 a bit for each word of level
       n that is not 0. The top level in use has one word. */
    uint64_t *level[SLOTS_LEVELS];
    size_t level_capacity[SLOTS_LEVELS];
    unsigned height; /* levels in use */
};

/* All zero is an empty set. Returns the slot, or TRACE_NO_SLOT and errno when memory is out. */
uint32_t slots_make(struct slots *slots, uint64_t serial);
/* TRACE_NO_SLOT: no live block has this serial. */
uint32_t slots_find(struct slots *slots, uint64_t serial);
/* Names the block that slots_find found last anew, or ends its life. */
void slots_rename(struct slots *slots, uint32_t slot, uint64_t serial);
void slots_free(struct slots *slots, uint32_t slot);
/* Brings what slots_find or slots_make will look at into the cache. */
void slots_prefetch(const struct slots *slots, uint64_t serial);
/* Unmaps everything; the set is empty afterwards. */
void slots_close(struct slots *slots);
size_t slots_mapped(const struct slots *slots); /* bytes */

#endif
