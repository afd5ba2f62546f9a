/*
 * A pointer into a block, with random bytes in front of it, is freed.
 * both builds: likely
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): points into a block
 */
#include <stdint.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t *volatile p = malloc(100);
    p[2] = p[3] = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15); /* an irrational number's bits */
    free(p + 4);
    return 0;
}
