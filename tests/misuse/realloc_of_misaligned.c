/*
 * A pointer that is not aligned to 16 bytes is given to realloc.
 * both builds: certain
 * span: realloc(0xADDRESS): misaligned pointer, not from malloc
 */
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(100);
    p += 8;
    p = realloc(p, 200);
    return 0;
}
