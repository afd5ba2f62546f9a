/*
 * A pointer over the first 8 bytes of a freed block of 40 kB, then its neighbours are freed.
 * both builds: certain
 * span: free(0xADDRESS): free block was written to
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
    *(void **)blocks[middle] = &size;
    /* Its neighbours are freed, with which it is merged. */
    for (int i = middle + 1; i < BLOCKS; i += 2)
        free(blocks[i]);
    return 0;
}
