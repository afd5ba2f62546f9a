/*
 * A small number is freed.
 * both builds: crash
 */
#include <stdint.h>
#include <stdlib.h>

int main(void)
{
    void *volatile p = (void *)(uintptr_t)4096;
    free(p);
    return 0;
}
