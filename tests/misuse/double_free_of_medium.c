/*
 * A block of 50 kB is freed twice.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(50000);
    void *volatile p = malloc(50000);
    free(p);
    free(p);
    free(keeps_the_span);
    return 0;
}
