/*
 * A block with an overwritten header is given to realloc.
 * both builds: certain
 * span: realloc(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: realloc(0xADDRESS): header was overwritten
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(112);
    memset(p - 16, 'x', 16);
    p = realloc(p, 200);
    free(p);
    return 0;
}
