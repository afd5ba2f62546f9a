/*
 * A block is freed again after it was merged with the free block in front of it.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    /* The later block lies in front: the earlier one is merged into it and is no block any more. */
    void *volatile p = malloc(100);
    void *volatile in_front = malloc(100);
    void *keeps_the_span = malloc(100);
    free(in_front);
    free(p);
    free(p);
    free(keeps_the_span);
    return 0;
}
