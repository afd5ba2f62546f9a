/*
 * A pointer into a block, with text in front of it, is given to malloc_usable_size.
 * both builds: certain
 * span: malloc_usable_size(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: malloc_usable_size(0xADDRESS): points into a block
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(100);
    memset(p, 'x', 100);
    p += 32;
    return malloc_usable_size(p) == 0;
}
