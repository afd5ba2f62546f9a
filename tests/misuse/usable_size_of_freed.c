/*
 * A freed block is given to malloc_usable_size.
 * both builds: certain
 * span: malloc_usable_size(0xADDRESS): used after it was freed
 */
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = malloc(100);
    free(p);
    size_t size = malloc_usable_size(p);
    free(keeps_the_span);
    return size == 0;
}
