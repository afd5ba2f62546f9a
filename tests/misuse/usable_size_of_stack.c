/*
 * A pointer to the stack is given to malloc_usable_size.
 * both builds: certain
 * span: malloc_usable_size(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: malloc_usable_size(0xADDRESS): not a block of ours
 */
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    _Alignas(16) char memory[128] = {0};
    char *volatile p = memory + 64;
    return malloc_usable_size(p) == 0;
}
