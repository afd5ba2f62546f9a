/*
 * Freed blocks that wait before their heap gets them, first in, first out: a pointer that was kept
 * meets poison and not what somebody else has there by then, and what it writes is found when the
 * block leaves. There is one quarantine, behind the lock of the one arena.
 */
#ifndef ALLOCATOR_QUARANTINE_H
#define ALLOCATOR_QUARANTINE_H

#include "heap.h"

enum {
    /* Both arbitrary: a mistake is made soon after the free, if at all. */
    QUARANTINE_BLOCKS = 256,
    QUARANTINE_BYTES = 1024 * 1024,
};

/* Takes a verified block without a fault. One larger than QUARANTINE_BYTES goes to its heap at
   once. errno is kept. */
void quarantine_put(struct heap *heap, struct block *block);

/* Lets all blocks go. false: there were none. */
bool quarantine_empty(struct heap *heap);

#endif
