/*
 * A pointer into memory from mmap is given to realloc.
 * both builds: certain
 * span: realloc(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: realloc(0xADDRESS): not a block of ours
 */
#include <stdlib.h>
#include <sys/mman.h>

enum { BYTES = 1 << 20 };

int main(void)
{
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *volatile p = memory + BYTES / 2;
    p = realloc(p, 200);
    return 0;
}
