/*
 * The byte in front of a block is overwritten.
 * both builds: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): header was overwritten
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(112);
    void *keeps_the_span = malloc(112);
    p[-1] = 'x';
    free(p);
    free(keeps_the_span);
    return 0;
}
