/*
 * A block is freed again after the memory was handed out again at the same address.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = malloc(100);
    free(p);
    void *volatile again = malloc(100);
    free(p);
    (void)again; /* is free now, and its owner does not know */
    free(keeps_the_span);
    return 0;
}
