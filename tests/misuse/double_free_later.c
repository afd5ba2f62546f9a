/*
 * A block is freed again after a few others were freed.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <stdlib.h>

enum { OTHERS = 6 };

int main(void)
{
    void *keeps_the_span = malloc(100);
    void *volatile p = malloc(100);
    void *others[OTHERS];
    for (int i = 0; i < OTHERS; i++)
        others[i] = malloc(50 + 20 * (size_t)i);
    free(p);
    for (int i = 0; i < OTHERS; i++)
        free(others[i]);
    free(p);
    free(keeps_the_span);
    return 0;
}
