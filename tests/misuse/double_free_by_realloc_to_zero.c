/*
 * A block that realloc(p, 0) freed is freed.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = malloc(100);
    void *none = realloc(p, 0);
    free(p);
    free(none);
    free(keeps_the_span);
    return 0;
}
