/*
 * A pointer over the first 8 bytes of a freed small block, then it is allocated again.
 * default: certain
 * span: malloc(0xADDRESS): free block was written to
 * fast: not detected
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
    *(void **)blocks[BLOCKS / 2] = &size;
    /* Every free block is taken again. */
    for (int i = 0; i < BLOCKS; i += 2)
        blocks[i] = malloc(BYTES);
    return 0;
}
