/*
 * A block is written one byte past what was asked for, which is in its rounding.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): written to behind its end
 */
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(100);
    p[100] = 0;
    free(p);
    return 0;
}
