/*
 * Two blocks of which the second lies right behind the first: for misuses that reach from one into
 * the other. Not a misuse itself.
 */
#ifndef TESTS_NEIGHBOURS_H
#define TESTS_NEIGHBOURS_H

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { CANDIDATES = 64, NEIGHBOUR_BYTES = 112 };

struct neighbours {
    char *p;
    char *behind;
    size_t size; /* usable bytes of each; the header of `behind` begins after so many of p */
};

/* Some others stay allocated around them. */
static inline struct neighbours neighbours_new(void)
{
    char *blocks[CANDIDATES];
    struct neighbours pair = {NULL, NULL, 0};
    for (int i = 0; i < CANDIDATES; i++)
        blocks[i] = malloc(NEIGHBOUR_BYTES);
    ptrdiff_t least = PTRDIFF_MAX;
    for (int i = 2; i < CANDIDATES; i++) {
        char *other = blocks[i - 1];
        char *first = other < blocks[i] ? other : blocks[i];
        char *second = other < blocks[i] ? blocks[i] : other;
        if (second - first >= least)
            continue;
        least = second - first;
        pair = (struct neighbours){first, second, malloc_usable_size(first)};
    }
    return pair;
}

#endif
