/*
 * A byte is written where none was asked for.
 * both builds: not detected
 * verify: crash
 */
#include <stdlib.h>

int main(void)
{
    volatile size_t nothing = 0; /* compilers warn of a constant */
    char *volatile p = malloc(nothing);
    p[0] = 'x';
    free(p);
    return 0;
}
