/*
 * Counts in sentences: "1 thread", "2 threads".
 */
#ifndef WORKLOADS_PLURAL_H
#define WORKLOADS_PLURAL_H

#include <stdint.h>

/* What stands behind a noun of which there are n: "s", or nothing for one. */
static inline const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

#endif
