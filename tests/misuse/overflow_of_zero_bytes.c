/*
 * A byte is written where none was asked for.
 * both builds: not detected
 * verify: crash
 */
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(0);
    p[0] = 'x';
    free(p);
    return 0;
}
