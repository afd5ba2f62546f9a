/*
 * Text over other bytes of a freed small block, then its neighbours are freed.
 * both builds: not detected
 * verify: certain
 * span: 1 fault, first 0xADDRESS: free block was written to
 */
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4000, BYTES = 112 };

int main(void)
{
    /* Every second block stays in use: the free ones are not merged. */
    void *volatile blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    memset((char *)blocks[BLOCKS / 2] + 24, 'x', 24);
    /* Its neighbours are freed, with which it is merged. */
    for (int i = BLOCKS / 2 + 1; i < BLOCKS; i += 2)
        free(blocks[i]);
    return 0;
}
