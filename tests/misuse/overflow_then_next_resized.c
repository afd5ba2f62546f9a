/*
 * A block is written 16 letters past its end, then the one behind it is resized.
 * both builds: certain
 * span: realloc(0xADDRESS): not a block of ours, or its header was overwritten
 * verify: certain
 * span: free(0xADDRESS): written to far behind its end, or its header was overwritten
 */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct neighbours pair = neighbours_new();
    memset(pair.p + pair.size, 'x', 16);
    pair.behind = realloc(pair.behind, 200);
    free(pair.p);
    return 0;
}
