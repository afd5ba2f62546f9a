/*
 * A block is written one byte past what was asked for, then resized.
 * both builds: not detected
 * verify: certain
 * span: realloc(0xADDRESS): written to behind its end
 */
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(100);
    p[100] = 'x';
    free(realloc(p, 200));
    return 0;
}
