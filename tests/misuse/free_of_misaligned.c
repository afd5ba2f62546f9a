/*
 * A pointer that is not aligned to 16 bytes is freed.
 * both builds: certain
 * span: free(0xADDRESS): misaligned pointer, not from malloc
 */
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(100);
    p += 8;
    free(p);
    return 0;
}
