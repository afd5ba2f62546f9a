/*
 * Slots for a trace that is written: numbers for live blocks, those given back are given out first,
 * so that they stay dense. Which block has which is the caller's to remember.
 */
#ifndef WORKLOADS_SLOT_POOL_H
#define WORKLOADS_SLOT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is a pool that gave nothing out. */
struct slot_pool {
    uint32_t *back; /* given back, the last one on top */
    size_t back_capacity;
    size_t back_used;
    uint32_t next; /* never given out yet, as are all above */
};

/* false and errno when memory or numbers are out. */
bool slot_pool_take(struct slot_pool *pool, uint32_t *slot);
bool slot_pool_put(struct slot_pool *pool, uint32_t slot);
void slot_pool_close(struct slot_pool *pool);

#endif
