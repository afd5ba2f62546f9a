/*
 * A pointer into a block of zeros is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): points into a block
 */
#include <stdlib.h>

int main(void)
{
    char *volatile p = calloc(1, 100);
    free(p + 32);
    return 0;
}
