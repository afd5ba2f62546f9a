/*
 * A block is written 32 letters past its end into a free one, and freed.
 * default: certain
 * span: free(0xADDRESS): block behind it was overwritten
 * fast: not detected
 */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct neighbours pair = neighbours_new();
    free(pair.behind);
    memset(pair.p + pair.size, 'x', 32);
    free(pair.p);
    return 0;
}
