/*
 * A block is written one zero past its end, then both are freed.
 * default: certain
 * span: free(0xADDRESS): block behind it was overwritten
 * fast: certain
 * span: free(0xADDRESS): header was overwritten
 * verify: certain
 * span: free(0xADDRESS): written to behind its end
 */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct neighbours pair = neighbours_new();
    pair.p[pair.size] = 0;
    free(pair.p);
    free(pair.behind);
    return 0;
}
