/*
 * A block is freed twice in a row.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = malloc(100);
    free(p);
    free(p);
    free(keeps_the_span);
    return 0;
}
