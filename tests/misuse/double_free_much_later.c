/*
 * A block is freed again after thousands of others of its size were freed.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

enum { BLOCKS = 20000 };

int main(void)
{
    /* Every other block stays in use, so that none of them is merged. */
    void *volatile blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(100);
    for (int i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    free(blocks[0]);
    return 0;
}
