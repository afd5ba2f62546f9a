/*
 * The 8 bytes that lie 16 to 8 in front of a block are overwritten with text.
 * default: certain
 * span: free(0xADDRESS): header was overwritten
 * fast: not detected
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(112);
    void *keeps_the_span = malloc(112);
    memset(p - 16, 'q', 8);
    free(p);
    free(keeps_the_span);
    return 0;
}
