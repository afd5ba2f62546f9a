/*
 * Text over the last 8 bytes of a freed block of 40 kB, then its neighbours are freed.
 * both builds: certain
 * span: free(0xADDRESS): free block in front of it was overwritten
 * verify: certain
 * span: 1 fault, first 0xADDRESS: free block was written to
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
    /* The one behind it is freed first, and finds its start by the footer. */
    for (int i = middle - 1; i > 0; i -= 2)
        free(blocks[i]);
    return 0;
}
