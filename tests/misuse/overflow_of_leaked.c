/*
 * A block is written one byte past what was asked for, and never freed.
 * both builds: not detected
 * verify: certain
 * span: 1 fault, first 0xADDRESS: written to behind its end
 */
#include <stdlib.h>

int main(void)
{
    volatile char *volatile p = malloc(100);
    p[100] = 0;
    return 0;
}
