/*
 * Text over the last 8 bytes of a freed block of 40 kB, then it is allocated again.
 * both builds: not detected
 * verify: certain
 * span: malloc(0xADDRESS): free block was written to
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
    /* Every free block is taken again. */
    for (int i = 0; i < BLOCKS; i += 2)
        blocks[i] = malloc(BYTES);
    return 0;
}
