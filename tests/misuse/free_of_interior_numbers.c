/*
 * A pointer into a block, with small numbers in front of it, is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): points into a block
 */
#include <stdlib.h>

int main(void)
{
    size_t *volatile p = malloc(100);
    for (size_t i = 0; i < 12; i++)
        p[i] = 64 + 16 * i + 3;
    free(p + 4);
    return 0;
}
