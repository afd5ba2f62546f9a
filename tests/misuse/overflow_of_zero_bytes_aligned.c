/*
 * A byte is written where none was asked for, at a multiple of 64.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): written to behind its end
 */
#include <stdlib.h>

int main(void)
{
    volatile size_t nothing = 0; /* compilers warn of a constant */
    char *volatile p = aligned_alloc(64, nothing);
    p[0] = 'x';
    free(p);
    return 0;
}
