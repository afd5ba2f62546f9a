/*
 * A block is freed again after it and thousands of neighbours were merged.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

enum { BLOCKS = 400 };

int main(void)
{
    void *volatile blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(100);
    for (int i = 1; i < BLOCKS; i++)
        free(blocks[i]);
    free(blocks[BLOCKS / 2]);
    free(blocks[0]);
    return 0;
}
