/*
 * A pointer to static memory is freed.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): not a block of ours
 */
#include <stdlib.h>

static _Alignas(16) char memory[128];

int main(void)
{
    char *volatile p = memory + 64;
    free(p);
    return 0;
}
