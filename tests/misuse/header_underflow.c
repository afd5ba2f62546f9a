/* span: free(0xADDRESS): not a block of ours, or its header was overwritten */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(100);
    memset(p - 8, 'x', 8);
    free(p);
    return 0;
}
