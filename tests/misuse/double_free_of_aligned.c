/*
 * A block of aligned_alloc is freed twice.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = aligned_alloc(256, 100);
    free(p);
    free(p);
    free(keeps_the_span);
    return 0;
}
