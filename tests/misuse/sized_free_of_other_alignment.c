/*
 * A block is freed with another alignment than it was asked for with.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): told another alignment than was asked for
 */
#include <stdlib.h>

/* C23; not in every library's headers, and what is preloaded has it. */
__attribute__((weak)) void free_aligned_sized(void *p, size_t alignment, size_t size);

int main(void)
{
    free_aligned_sized(aligned_alloc(64, 128), 128, 128);
    return 0;
}
