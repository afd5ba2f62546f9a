/* span: free(0xADDRESS): misaligned pointer, not from malloc */
#include <stdlib.h>

int main(void)
{
    char *volatile p = malloc(100);
    free(p + 1);
    return 0;
}
