/*
 * Text over the 16 bytes in front of a freed block of 40 kB, then it is allocated again.
 * both builds: certain
 * span: malloc(0xADDRESS): free block was written to
 */
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 40, BYTES = 40000 };

int main(void)
{
    /* Every second block stays in use: the free ones are not merged. */
    void *volatile blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    memset((char *)blocks[BLOCKS / 2] - 16, 'x', 16);
    /* Every free block is taken again. */
    for (int i = 0; i < BLOCKS; i += 2)
        blocks[i] = malloc(BYTES);
    return 0;
}
