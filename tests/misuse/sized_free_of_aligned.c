/*
 * A block that was asked for with an alignment is freed as if without.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): told another alignment than was asked for
 */
#include <stdlib.h>

/* C23; not in every library's headers, and what is preloaded has it. */
__attribute__((weak)) void free_sized(void *p, size_t size);

int main(void)
{
    free_sized(aligned_alloc(64, 128), 128);
    return 0;
}
