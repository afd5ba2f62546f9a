/*
 * Text over the last 8 bytes of a freed block of 40 kB, then its neighbours are resized.
 * both builds: certain
 * span: realloc(0xADDRESS): free block in front of it was overwritten
 * verify: certain
 * span: realloc(0xADDRESS): free block was written to
 */
#include "medium.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    /* Every second block stays in use: the free ones are not merged. */
    void *volatile blocks[BLOCKS];
    int middle = medium_new(blocks);
    size_t size = malloc_usable_size(blocks[0]);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    memset((char *)blocks[middle] + size - 8, 'x', 8);
    /* Its neighbours grow into it. */
    for (int i = 1; i < BLOCKS; i += 2)
        blocks[i] = realloc(blocks[i], BYTES * 2 - 4);
    return 0;
}
