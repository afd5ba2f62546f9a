/*
 * A block of no bytes is freed twice.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(0);
    void *volatile p = malloc(0);
    free(p);
    free(p);
    free(keeps_the_span);
    return 0;
}
