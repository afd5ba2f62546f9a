/*
 * Blocks as the program gets them where its mistakes are looked for (verify.h): larger than was
 * asked for, and sealed behind that.
 *
 *     live                               freed, in quarantine
 *     +--------------------------+       +--------------------------+  <- block
 *     | header, MAGIC_VERIFIED   |       | header, _QUARANTINED     |
 *     +--------------------------+       +--------------------------+  <- payload
 *     | what was asked for       |       | poison                   |
 *     +--------------------------+       |                          |
 *     | canary, 8 bytes or more  |       |                          |
 *     | seal: what was asked for |       |                          |  8 bytes
 *     +--------------------------+       +--------------------------+  <- the next block
 *
 * Layout alone: nothing here knows of heaps.
 */
#ifndef ALLOCATOR_VERIFIED_H
#define ALLOCATOR_VERIFIED_H

#include "block.h"

enum {
    VERIFIED_SEAL = sizeof(uint64_t),
    /* Bytes to ask a heap for beyond a request, so that there is a canary of one word at least. */
    VERIFIED_SLACK = 2 * VERIFIED_SEAL,
    VERIFIED_CANARY = 0xca, /* arbitrary; neither poison nor zero nor text */
    /* Bytes of a free block that is looked at before somebody gets it: larger ones are mostly pages
       that nobody touched, and looking would bring them. Arbitrary: that of BIN_LARGE. */
    VERIFIED_LOOKED_AT = 128 * 1024,
};

/* What the program asked for. */
struct verified {
    size_t request;
    size_t alignment; /* a power of two; 0: none in particular */
};

/* Makes a used block with room for request and slack a verified one. */
void verified_seal(struct block *block, struct verified asked);

/* What is wrong with a verified block in words, or NULL; its header is sound as headers go. */
const char *verified_fault(const struct block *block);

/* What was asked for, of a block without a fault. */
struct verified verified_asked(const struct block *block);

/* Makes a verified block a quarantined one. */
void verified_quarantine(struct block *block);

/* The first word of a payload that is poison no more, or NULL. */
const void *verified_unpoisoned(const void *payload, size_t bytes);

/*
 * The first word of what was free that neither is poison nor was left by the heap, or NULL: pages
 * that nobody touched are zero, and where blocks were split and merged there are old headers and
 * links. So numbers, and pointers of whole words, pass.
 */
const void *verified_scribble(const void *free, size_t bytes);

#endif
