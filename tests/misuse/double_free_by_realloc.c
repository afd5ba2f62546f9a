/*
 * A block that realloc moved away from is freed.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *volatile p = malloc(100);
    void *hinders_growth = malloc(100);
    void *moved = realloc(p, 100000);
    free(p);
    free(moved);
    free(hinders_growth);
    return 0;
}
