/*
 * Text over the last 8 bytes of a freed small block, then its neighbours are resized.
 * default: certain
 * span: realloc(0xADDRESS): free block in front of it was overwritten
 * fast: not detected
 * verify: certain
 * span: realloc(0xADDRESS): free block was written to
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
    /* Its neighbours grow into it. */
    for (int i = 1; i < BLOCKS; i += 2)
        blocks[i] = realloc(blocks[i], BYTES * 2 - 4);
    return 0;
}
