/*
 * A block is freed again after its pages went back to the system.
 * both builds: crash
 * verify: certain
 * span: free(0xADDRESS): not a block of ours
 */
#include <stdlib.h>

enum { BYTES = 64 << 20 };

int main(void)
{
    void *volatile p = malloc(BYTES);
    free(p);
    free(p);
    return 0;
}
