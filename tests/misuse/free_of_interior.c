/* span: free(0xADDRESS): not a block of ours, or its header was overwritten */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(100);
    memset(p, 'x', 100);
    free(p + 32);
    return 0;
}
