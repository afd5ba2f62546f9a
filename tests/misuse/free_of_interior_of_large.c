/*
 * A pointer into a block of many pages is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): points into a block
 */
#include <stdlib.h>

enum { BYTES = 8 << 20 };

int main(void)
{
    char *volatile p = malloc(BYTES);
    free(p + BYTES / 2);
    free(p);
    return 0;
}
