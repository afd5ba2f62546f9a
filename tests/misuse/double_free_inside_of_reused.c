/*
 * A block is freed again after it was handed out again as part of a larger one.
 * both builds: likely
 * span: free(0xADDRESS): double free
 * verify: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    /* Certain as long as nobody wrote to the place of the old header. */
    void *volatile p = malloc(100);
    void *volatile in_front = malloc(100);
    void *keeps_the_span = malloc(100);
    free(in_front);
    free(p);
    void *larger = malloc(200);
    free(p);
    free(larger);
    free(keeps_the_span);
    return 0;
}
