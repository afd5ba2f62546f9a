/*
 * What an allocator says that it holds its memory for: blocks in use, caches, free and empty parts,
 * by mallinfo2, where it has one of its own.
 */
#ifndef BENCH_HOLDINGS_H
#define BENCH_HOLDINGS_H

#include "identity.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes, as glibc's manual has the fields of struct mallinfo2. */
struct holdings {
    bool known;     /* else nothing of the rest is valid */
    int64_t rss;    /* net resident bytes at that moment */
    int64_t live;   /* requested bytes that lived then */
    int64_t used;   /* blocks in use, with headers and what was rounded up: uordblks and hblkhd */
    int64_t cached; /* freed and in caches, or not merged yet: fsmblks */
    int64_t free;   /* free between blocks in use: fordblks less the cached and the empty */
    int64_t empty;  /* could be given back: keepcost */
};

/* Whether the allocator answers. The C library's mallinfo2 tells nothing of any other. */
bool holdings_can(const struct identity *allocator);

/*
 * To be called whenever memory is looked at. Asks the allocator where net resident bytes have grown
 * by a 32nd since it was asked last: the answer may take a walk over all blocks. Of an allocator
 * that cannot answer nothing becomes known.
 */
void holdings_note(struct holdings *holdings, bool can, int64_t rss, int64_t live);

/* Appends "held", an object, where it is known; a comma first. */
void holdings_print(const struct holdings *holdings, struct json_text *text);

#endif
