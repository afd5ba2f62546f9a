/*
 * The only block of the program is freed twice.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

int main(void)
{
    void *volatile p = malloc(100);
    free(p);
    free(p);
    return 0;
}
