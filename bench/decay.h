/*
 * How much memory an allocator gives back while the program does nothing, once every block is
 * freed: net resident bytes at set times after the drain, and after malloc_trim(0) where the
 * allocator has one of its own. It frees nothing itself.
 */
#ifndef BENCH_DECAY_H
#define BENCH_DECAY_H

#include "footprint.h"
#include "identity.h"

enum { DECAY_MOMENTS = 3 };

/* Net resident bytes. */
struct decay {
    int64_t rss[DECAY_MOMENTS]; /* 0.1, 1 and 5 s after decay_watch was called */
    int64_t rss_after_trim;     /* valid if has_trim */
    bool has_trim;              /* malloc_trim is the allocator's own and was called */
};

/* To be called right after the drain, by the only thread that is left; takes five seconds and makes
   no call of malloc's family meanwhile. */
struct decay decay_watch(const struct footprint *footprint, const struct identity *allocator);
/* Appends the fields by their names in results, a comma first. */
void decay_print(const struct decay *decay, struct json_text *text);

#endif
