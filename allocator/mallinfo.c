/*
 * The functions around malloc that programs know from glibc and that return something: what stands
 * where in its structs follows that. What a tunable would tune is decided elsewhere here, so
 * mallopt knows them and does nothing.
 */
#include "build.h" /* first: see there */

#include "libspan.h"
#include "statistics.h"
#include "trim.h"

#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#if __GLIBC_PREREQ(2, 33)
_Static_assert(sizeof(struct span_mallinfo2) == sizeof(struct mallinfo2), "they are called as one");
_Static_assert(offsetof(struct span_mallinfo2, keepcost) == offsetof(struct mallinfo2, keepcost),
               "they are called as one");
#endif
#endif

/* <malloc.h> has names for these, but not every C library's. */
enum {
    MALLOPT_FAST_MAX = 1,
    MALLOPT_FIRST = -8, /* M_ARENA_MAX, ... */
    MALLOPT_LAST = -1,  /* ... M_TRIM_THRESHOLD */
};

int span_malloc_trim(size_t pad)
{
    return arenas_trim(pad);
}

static void arenas_statistics(struct statistics *sum)
{
    *sum = (struct statistics){0};
    arenas_settle();
    for (int i = 0; i < BUILD_ARENAS; i++) {
        struct statistics statistics;
        statistics_of_arena(i, &statistics);
        statistics_add(sum, &statistics);
    }
}

struct span_mallinfo2 span_mallinfo2(void)
{
    struct statistics sum;
    arenas_statistics(&sum);
    size_t arena = statistics_shared(&sum);
    size_t unused = statistics_unused(&sum);
    return (struct span_mallinfo2){
        .arena = arena,
        .ordblks = sum.free.count + sum.empty.count,
        .smblks = sum.cached.count,
        .hblks = sum.dedicated.count,
        .hblkhd = sum.dedicated.bytes,
        .fsmblks = sum.cached.bytes,
        .uordblks = arena - unused,
        .fordblks = unused,
        .keepcost = sum.empty.bytes,
    };
}

static int clamped(size_t number)
{
    return number < INT_MAX ? (int)number : INT_MAX;
}

struct span_mallinfo span_mallinfo(void)
{
    struct span_mallinfo2 wide = span_mallinfo2();
    return (struct span_mallinfo){
        .arena = clamped(wide.arena),
        .ordblks = clamped(wide.ordblks),
        .smblks = clamped(wide.smblks),
        .hblks = clamped(wide.hblks),
        .hblkhd = clamped(wide.hblkhd),
        .fsmblks = clamped(wide.fsmblks),
        .uordblks = clamped(wide.uordblks),
        .fordblks = clamped(wide.fordblks),
        .keepcost = clamped(wide.keepcost),
    };
}

int span_mallopt(int parameter, int value)
{
    (void)value;
    return parameter == MALLOPT_FAST_MAX ||
           (parameter >= MALLOPT_FIRST && parameter <= MALLOPT_LAST);
}

void span_cfree(void *p)
{
    span_free(p);
}
