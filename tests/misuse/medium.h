/*
 * Blocks of 40 kB, of which one lies between two others in a span: for misuses that show when it is
 * merged with them or taken again. Not a misuse itself.
 */
#ifndef TESTS_MEDIUM_H
#define TESTS_MEDIUM_H

#include <stddef.h>
#include <stdlib.h>

enum { BLOCKS = 80, BYTES = 40000 };

static inline ptrdiff_t medium_distance(void *from, void *to)
{
    return (char *)to - (char *)from;
}

/* Allocates them: the even index of the first that has the one before and the one after it as its
   neighbours; a heap that grows has them in threes at first. 0: there is none. */
static inline int medium_new(void *volatile *blocks)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    for (int i = 2; i + 1 < BLOCKS; i += 2) {
        ptrdiff_t from = medium_distance(blocks[i - 1], blocks[i]);
        ptrdiff_t to = medium_distance(blocks[i], blocks[i + 1]);
        if (from == to && labs(from) < BYTES + 64)
            return i;
    }
    return 0;
}

#endif
