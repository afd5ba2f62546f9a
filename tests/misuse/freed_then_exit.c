/*
 * A letter in the middle of a freed block, and nothing else.
 * both builds: not detected
 * verify: certain
 * span: 1 fault, first 0xADDRESS: written to after it was freed
 */
#include <stdlib.h>

int main(void)
{
    char *volatile keeps_the_span = malloc(100);
    char *volatile p = malloc(100);
    free(p);
    ((volatile char *)p)[50] = 'x';
    (void)keeps_the_span;
    return 0;
}
