/*
 * Text over the middle of a freed block, then hundreds of others are freed.
 * both builds: not detected
 * verify: certain
 * span: free(0xADDRESS): written to after it was freed
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(100);
    void *others[400];
    for (int i = 0; i < 400; i++)
        others[i] = malloc(100);
    free(p);
    memset(p + 50, 'x', 10);
    for (int i = 0; i < 400; i++)
        free(others[i]);
    return 0;
}
