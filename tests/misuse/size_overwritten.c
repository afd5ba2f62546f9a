/* span: free(0xADDRESS): header was overwritten */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(100);
    memset(p - 16, 0x71, 8);
    free(p);
    return 0;
}
