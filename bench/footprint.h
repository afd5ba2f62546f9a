/*
 * The allocator's own memory: the resident bytes of this process less those that are the
 * harness's, the program's and the libraries'. docs/measuring.md says what exactly is subtracted.
 */
#ifndef BENCH_FOOTPRINT_H
#define BENCH_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>

/* All in bytes. Net figures may be below zero: an allocator can give back what it had at first. */
struct footprint {
    uint64_t initial;  /* what the allocator had taken before main */
    uint64_t baseline; /* what is subtracted; grows when the harness decodes more */
    int64_t peak;      /* most net bytes so far, as of footprint_end_part */
};

/* To be called first of all in main, before the harness maps anything. "PATH: what" on failure. */
bool footprint_open(struct footprint *footprint, const char **path);
void footprint_close(void);
/* Reads in the text of the program and its libraries, so that no later page of theirs counts. */
void footprint_load_text(void);
/*
 * Around each part of the replay: begin sets the baseline from the memory in use now, of which
 * `net` bytes are the allocator's, and resets the peak; end takes the peak of the part. What the
 * harness does between an end and the next begin is so never the allocator's.
 */
bool footprint_begin_part(struct footprint *footprint, int64_t net);
void footprint_end_part(struct footprint *footprint);
/* Net bytes now: cheap for the many samples, exact for single readings. */
int64_t footprint_net(const struct footprint *footprint);
int64_t footprint_net_exact(const struct footprint *footprint);

#endif
