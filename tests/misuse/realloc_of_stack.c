/*
 * A pointer to the stack is given to realloc.
 * both builds: certain
 * span: realloc(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: realloc(0xADDRESS): not a block of ours
 */
#include <stdlib.h>

int main(void)
{
    _Alignas(16) char memory[128] = {0};
    char *volatile p = memory + 64;
    p = realloc(p, 200);
    return 0;
}
