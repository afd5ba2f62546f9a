/*
 * What the options of `trace cut` and `trace filter` mean: ranges, lists of threads, kinds of
 * calls. Only words are read here; what is chosen by them is not decided here.
 */
#ifndef WORKLOADS_SELECTION_H
#define WORKLOADS_SELECTION_H

#include "trace.h"

/* Values from `from` on and below `to`. */
struct selection_range {
    uint64_t from, to;
};

/* Threads, a bit each. */
struct selection_threads {
    bool any; /* every thread is in it */
    uint64_t bits[TRACE_THREADS_MAX / 64];
};

enum { SELECTION_OPS = 1, SELECTION_SECONDS = 1000 * 1000 * 1000 /* in ns */ };

enum { SELECTION_STEP = 256 }; /* bytes of the words that chose, cut if they are longer */

/* "FROM:TO", either of which may be left out; numbers of `unit` (a decimal fraction is possible
   where that is not 1) with FROM <= TO. false: it is none. */
bool selection_range_parse(const char *text, uint64_t unit, struct selection_range *range);
/* "64:4K": sizes in bytes, both ends included in what is chosen; K, M and G are powers of 1024. */
bool selection_sizes_parse(const char *text, struct selection_range *range);
/* "0,3,5-9" */
bool selection_threads_parse(const char *text, struct selection_threads *threads);
/* "malloc,calloc": a bit for each enum trace_kind that makes blocks. */
bool selection_kinds_parse(const char *text, unsigned *kinds);

/* Where `ok`, appends " --NAME VALUE" to step; else says what was wanted. Returns ok. */
bool selection_option(char step[SELECTION_STEP], const char *name, const char *value,
                      const char *want, bool ok);

static inline bool selection_has_thread(const struct selection_threads *threads, uint32_t thread)
{
    return threads->any || (threads->bits[thread / 64] >> (thread % 64) & 1);
}

#endif
