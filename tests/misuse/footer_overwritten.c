/* span: free(0xADDRESS): free block in front of it was overwritten */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile p = malloc(112);
    char *volatile in_front = malloc(112);
    char *keeps_them_apart = malloc(112);
    free(in_front);
    memset(in_front + 104, 'x', 8); /* a write after free that reaches the last bytes */
    free(p);
    free(keeps_them_apart);
    return 0;
}
