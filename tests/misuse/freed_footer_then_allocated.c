/*
 * Text over the last 8 bytes of a freed small block, then it is allocated again.
 * both builds: not detected
 * verify: certain
 * span: malloc(0xADDRESS): free block was written to
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
    /* Every free block is taken again. */
    for (int i = 0; i < BLOCKS; i += 2)
        blocks[i] = malloc(BYTES);
    return 0;
}
