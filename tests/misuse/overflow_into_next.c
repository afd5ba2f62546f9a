/* span: free(0xADDRESS): block behind it was overwritten */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *behind = malloc(112);
    char *volatile p = malloc(112); /* all of a 128-byte block */
    memset(p, 0, 112 + 8);
    free(p);
    free(behind);
    return 0;
}
