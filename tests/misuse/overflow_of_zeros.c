/*
 * A block is written 16 zeros past its end, then both are freed.
 * default: certain
 * span: free(0xADDRESS): block behind it was overwritten
 * fast: certain
 * span: free(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): written to far behind its end, or its header was overwritten
 */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct neighbours pair = neighbours_new();
    memset(pair.p + pair.size, 0, 16);
    free(pair.p);
    free(pair.behind);
    return 0;
}
