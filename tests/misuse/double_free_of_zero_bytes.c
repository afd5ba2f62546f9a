/*
 * A block of zero bytes is freed twice.
 * both builds: certain
 * span: free(0xADDRESS): double free
 * verify: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *volatile p = malloc(0);
    free(p);
    free(p);
    return 0;
}
