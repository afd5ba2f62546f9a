/*
 * A pointer into a block, with pointers in front of it, is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): points into a block
 */
#include <stdlib.h>

int main(void)
{
    void **volatile p = malloc(100);
    for (int i = 0; i < 12; i++)
        p[i] = p;
    free(p + 4);
    return 0;
}
