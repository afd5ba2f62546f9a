/*
 * Counts in sentences: "1 thread", "1,200 threads".
 */
#ifndef WORKLOADS_PLURAL_H
#define WORKLOADS_PLURAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What stands behind a noun of which there are n: "s", or nothing for one. */
static inline const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

struct grouped {
    char text[sizeof "18,446,744,073,709,551,615"];
};

/* The digits of n in groups of three. */
static inline struct grouped grouped(uint64_t n)
{
    struct grouped all;
    size_t at = sizeof all.text - 1, digits = 0;
    all.text[at] = '\0';
    do {
        if (digits++ % 3 == 0 && digits > 1)
            all.text[--at] = ',';
        all.text[--at] = (char)('0' + n % 10);
    } while ((n /= 10) > 0);
    memmove(all.text, all.text + at, sizeof all.text - at);
    return all;
}

#endif
