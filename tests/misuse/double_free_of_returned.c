/*
 * A block is freed again after its pages went back to the system.
 * both builds: crash
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
