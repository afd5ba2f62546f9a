/*
 * What a build can be burdened with, so that one can see whether the regression gate notices: calls
 * that take longer, requests that grow. A normal build has none of it and compiles to the same code
 * as without this file.
 *
 * SPAN_HANDICAP_LOOPS=N: N iterations of an empty loop in each allocating call, a few cycles each.
 * SPAN_HANDICAP_SHARE=N: 1/N more memory for each request than was asked for.
 */
#ifndef ALLOCATOR_HANDICAP_H
#define ALLOCATOR_HANDICAP_H

#include <stddef.h>
#include <stdint.h>

#ifndef SPAN_HANDICAP_LOOPS
#define SPAN_HANDICAP_LOOPS 0
#endif
#ifndef SPAN_HANDICAP_SHARE
#define SPAN_HANDICAP_SHARE 0
#endif

enum { HANDICAP_LOOPS = SPAN_HANDICAP_LOOPS, HANDICAP_SHARE = SPAN_HANDICAP_SHARE };

/* Burns the time; the bytes to ask for instead of `request`. */
static inline size_t handicap_request(size_t request)
{
    for (int i = 0; i < HANDICAP_LOOPS; i++)
        __asm__ volatile("" : "+r"(i)); /* or the compiler would leave the loop out */
    size_t more = HANDICAP_SHARE > 0 ? request / (HANDICAP_SHARE + !HANDICAP_SHARE) : 0;
    return more <= SIZE_MAX - request ? request + more : SIZE_MAX;
}

#endif
