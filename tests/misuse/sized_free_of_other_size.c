/*
 * A block is freed with another size than it was asked for with.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): told another size than was asked for
 */
#include <stdlib.h>

/* C23; not in every library's headers, and what is preloaded has it. */
__attribute__((weak)) void free_sized(void *p, size_t size);

int main(void)
{
    free_sized(malloc(100), 99);
    return 0;
}
