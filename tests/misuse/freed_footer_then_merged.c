/*
 * Text over the last 8 bytes of a freed small block, then its neighbours are freed.
 * default: certain
 * span: free(0xADDRESS): free block in front of it was overwritten
 * fast: not detected
 * verify: certain
 * span: 1 fault, first 0xADDRESS: free block was written to
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4000, BYTES = 112 };

int main(void)
{
    /* Every second block stays in use: the free ones are not merged. */
    void *volatile blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    size_t size = malloc_usable_size(blocks[0]);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    memset((char *)blocks[BLOCKS / 2] + size - 8, 'x', 8);
    /* The one behind it is freed first, and finds its start by the footer. */
    for (int i = BLOCKS / 2 - 1; i > 0; i -= 2)
        free(blocks[i]);
    return 0;
}
