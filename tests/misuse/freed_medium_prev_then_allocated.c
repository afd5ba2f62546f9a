/*
 * Text over the second 8 bytes of a freed block of 40 kB, then it is allocated again.
 * both builds: certain
 * span: malloc(0xADDRESS): free block was written to
 */
#include "medium.h"

#include <stdlib.h>
#include <string.h>

int main(void)
{
    /* Every second block stays in use: the free ones are not merged. */
    void *volatile blocks[BLOCKS];
    int middle = medium_new(blocks);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    memset((char *)blocks[middle] + 8, 'x', 8);
    /* Every free block is taken again. */
    for (int i = 0; i < BLOCKS; i += 2)
        blocks[i] = malloc(BYTES);
    return 0;
}
