/*
 * A block is written one letter past its end, then both are freed.
 * default: likely
 * span: free(0xADDRESS): block behind it was overwritten
 * fast: likely
 * span: free(0xADDRESS): block behind it was overwritten
 * verify: certain
 * span: free(0xADDRESS): written to behind its end
 */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct neighbours pair = neighbours_new();
    pair.p[pair.size] = argc > 1 ? 'a' + atoi(argv[1]) % 26 : 'x';
    free(pair.p);
    free(pair.behind);
    return 0;
}
