/*
 * A pointer into a block, with text in front of it, is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): points into a block
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(100);
    memset(p, 'x', 100);
    p += 32;
    free(p);
    return 0;
}
