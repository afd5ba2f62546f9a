/*
 * A block is freed again after a free block behind it was merged into it.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *volatile behind = malloc(100);
    void *volatile p = malloc(100);
    void *keeps_the_span = malloc(100);
    free(behind);
    free(p);
    free(p);
    free(keeps_the_span);
    return 0;
}
