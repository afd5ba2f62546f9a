/*
 * A freed block is given to realloc.
 * both builds: certain
 * span: realloc(0xADDRESS): used after it was freed
 */
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = malloc(100);
    free(p);
    p = realloc(p, 200);
    free(keeps_the_span);
    return 0;
}
