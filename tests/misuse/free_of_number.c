/*
 * A small number is freed.
 * both builds: crash
 * verify: certain
 * span: free(0xADDRESS): not a block of ours
 */
#include <stdint.h>
#include <stdlib.h>

int main(void)
{
    void *volatile p = (void *)(uintptr_t)4096;
    free(p);
    return 0;
}
