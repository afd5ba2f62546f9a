/*
 * A block is made smaller, and what it was before is written to.
 * both builds: not detected
 * verify: certain
 * span: 1 fault, first 0xADDRESS: written to after it was freed
 */
#include <stdlib.h>

int main(void)
{
    char *volatile stale = malloc(1000);
    char *volatile p = realloc(stale, 100);
    ((volatile char *)stale)[500] = 'x';
    free(p);
    return 0;
}
