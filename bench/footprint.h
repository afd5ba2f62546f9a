/*
 * The allocator's own memory: the resident and the mapped bytes of this process less those that are
 * the harness's, the program's and the libraries'. docs/method.md says what exactly is
 * subtracted.
 */
#ifndef BENCH_FOOTPRINT_H
#define BENCH_FOOTPRINT_H

#include "json_text.h"

#include <stdbool.h>
#include <stdint.h>

/* All in bytes. Net figures may be below zero: an allocator can give back what it had at first. */
struct footprint {
    /* Resident. */
    uint64_t initial;        /* what the allocator had taken before main */
    uint64_t baseline;       /* what is subtracted; grows when the harness decodes more */
    uint64_t first_baseline; /* of the first part */
    int64_t peak;            /* most net bytes so far, as of footprint_end_part */
    /* Mapped, whether or not it may be accessed. */
    uint64_t initial_mapped; /* before main */
    uint64_t mapped_baseline;
    int64_t mapped; /* net, as of footprint_end_part; initial_mapped before */
    int64_t peak_mapped;
    uint64_t harness_bytes; /* mapped by the harness when the first part began */
};

/*
 * To be called first of all in main, before the harness maps anything. On failure false, with the
 * file that cannot be used in path; footprint_reason then says why, before errno changes.
 */
bool footprint_open(struct footprint *footprint, const char **path);
const char *footprint_reason(void);
void footprint_close(void);
/* In a copy of the process (fork): reads this process's memory from now on, not its parent's. */
bool footprint_reopen(const char **path);
/* Reads in the text of the program and its libraries, so that no later page of theirs counts. */
void footprint_load_text(void);
/*
 * Around each part of the replay: begin sets the baselines from the memory in use now, of which
 * `net` resident bytes are the allocator's, and resets the peaks; end takes the peaks of the part.
 * What the harness does between an end and the next begin is never the allocator's. begin
 * returns false and errno where a peak cannot be reset.
 */
bool footprint_begin_part(struct footprint *footprint, int64_t net);
void footprint_end_part(struct footprint *footprint);
/* Net bytes now: cheap for the many samples, exact for single readings. */
int64_t footprint_net(const struct footprint *footprint);
int64_t footprint_net_exact(const struct footprint *footprint);
/* Bytes in huge pages now. None of the harness's are (own_memory.c), so nothing is subtracted. */
int64_t footprint_huge(void);
/* Appends the fields by their names in results, a comma first. */
void footprint_print(const struct footprint *footprint, struct json_text *text);

#endif
