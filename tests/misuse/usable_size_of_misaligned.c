/*
 * A pointer that is not aligned to 16 bytes is given to malloc_usable_size.
 * both builds: certain
 * span: malloc_usable_size(0xADDRESS): misaligned pointer, not from malloc
 */
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(100);
    p += 8;
    return malloc_usable_size(p) == 0;
}
