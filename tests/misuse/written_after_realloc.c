/*
 * A block is resized in place as far as the program knows, and the old pointer used.
 * both builds: not detected
 * verify: certain
 * span: 1 fault, first 0xADDRESS: written to after it was freed
 */
#include <stdlib.h>

int main(void)
{
    char *volatile stale = malloc(100);
    char *volatile p = realloc(stale, 104);
    ((volatile char *)stale)[50] = 'x';
    free(p);
    return 0;
}
