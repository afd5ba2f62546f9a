/*
 * Micro-benchmarks of realloc: blocks that grow with nothing behind them and with a neighbour
 * behind them, large ones, and ones that are resized to what they are. An iteration is one realloc.
 */
#include "micro.h"
#include "micro_blocks.h"

/* Grows a block from `first` to `last` bytes by `step`, again and again. */
static void grow(struct micro *micro, size_t first, size_t last, size_t step)
{
    while (micro_runs(micro, (last - first) / step)) {
        char *p = checked(malloc(first));
        for (size_t size = first + step; size <= last; size += step) {
            p = checked(realloc(p, size));
            p[size - 1] = 1;
        }
        free(p);
    }
}

/* An allocator may do this without moving anything. */
MICRO(realloc_grow)
{
    grow(micro, 16, 4096, 16);
}

/* So large that pages may be remapped instead of copied. */
MICRO(realloc_grow_large)
{
    grow(micro, 64 * 1024, 4 * 1024 * 1024, 64 * 1024);
}

/* Doubles a block; each time a new neighbour is allocated, so that the block is likely to have
   to move. The neighbour's malloc and free are part of the iteration. */
MICRO(realloc_move)
{
    enum { FIRST = 16, DOUBLINGS = 12 };
    void *neighbours[DOUBLINGS];
    while (micro_runs(micro, DOUBLINGS)) {
        char *p = checked(malloc(FIRST));
        for (unsigned i = 0; i < DOUBLINGS; i++) {
            neighbours[i] = checked(malloc(FIRST));
            p = checked(realloc(p, (size_t)FIRST << (i + 1)));
            *p = 1;
        }
        for (unsigned i = 0; i < DOUBLINGS; i++)
            free(neighbours[i]);
        free(p);
    }
}

MICRO(realloc_same, .arguments = {MICRO_LIST(64, 4096)})
{
    size_t size = (size_t)micro_argument(micro, 0);
    void *p = checked(malloc(size));
    MICRO_LOOP (micro)
        p = checked(realloc(p, size));
    free(p);
}
