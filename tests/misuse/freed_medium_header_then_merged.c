/*
 * Text over the 16 bytes in front of a freed block of 40 kB, then its neighbours are freed.
 * both builds: certain
 * span: free(0xADDRESS): block behind it was overwritten
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
    memset((char *)blocks[middle] - 16, 'x', 16);
    /* Its neighbours are freed, with which it is merged. */
    for (int i = middle + 1; i < BLOCKS; i += 2)
        free(blocks[i]);
    return 0;
}
