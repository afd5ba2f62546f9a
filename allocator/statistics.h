/*
 * What a heap holds at one moment, recounted block by block. As costly as that is: 100 million
 * blocks take about a second.
 */
#ifndef ALLOCATOR_STATISTICS_H
#define ALLOCATOR_STATISTICS_H

#include "arena.h"

enum { STATISTICS_CLASSES = 64 };

/* How many, and how many bytes. */
struct tally {
    size_t count;
    size_t bytes;
};

/*
 * Blocks count with their headers. What is mapped, less the dedicated spans, is what the arenas of
 * other allocators hold; less what is free, cached and empty of that, it is in use, the spans' own
 * headers included.
 */
struct statistics {
    struct tally spans;     /* all that are mapped */
    struct tally empty;     /* of these: without a block */
    struct tally dedicated; /* of these: with one large block, and no other */
    struct tally used;      /* blocks that the program has, of any span */
    struct tally cached;    /* freed, but in a thread's cache or not merged yet */
    struct tally free;      /* in bins of spans that are neither empty nor dedicated */
    /* The free ones: [i] those of more than 2^(i - 1) bytes and at most 2^i. */
    struct tally free_of_class[STATISTICS_CLASSES];
};

/* Of one heap, locked. Where a header was overwritten the rest of its span is not counted. */
void statistics_of_heap(const struct heap *heap, struct statistics *statistics);

/* The same of arena i of the process, from 0 to BUILD_ARENAS - 1; it is locked meanwhile. */
void statistics_of_arena(int i, struct statistics *statistics);

/* Adds to a sum, which begins as zeros. */
void statistics_add(struct statistics *sum, const struct statistics *statistics);

/* Bytes of the heap's spans without the dedicated ones, and how many of these are in nobody's use.
 */
size_t statistics_shared(const struct statistics *statistics);
size_t statistics_unused(const struct statistics *statistics);

#endif
