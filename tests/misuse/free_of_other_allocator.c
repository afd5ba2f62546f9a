/*
 * A block of another allocator (glibc's) is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): not a block of ours
 */
#include <stdlib.h>

extern void *__libc_malloc(size_t size);

int main(void)
{
    void *volatile p = __libc_malloc(100);
    free(p);
    return 0;
}
