/*
 * From the return addresses of a raw recording to the call sites of a trace: which module an
 * address was in at its time, and a number for each place.
 */
#ifndef WORKLOADS_CALLERS_H
#define WORKLOADS_CALLERS_H

#include "raw_reader.h"
#include "sites.h"

/* Where a module was, from a moment on. */
struct callers_module {
    uint64_t stamp, start, bytes;
    uint32_t number; /* in the table of sites */
};

/* All zero is what a recording without sites has. */
struct callers {
    struct sites sites;
    struct callers_module *modules; /* in the order in which they were noted */
    size_t count, capacity;
    uint64_t left_out; /* calls whose site found no room in the table */
};

/* Reads the modules of a recording. false and errno: no memory. */
bool callers_open(struct callers *callers, const struct raw_reader *reader);
/* The number of a call's site; 0: unknown. */
uint32_t callers_site(struct callers *callers, const struct raw_call *raw);
void callers_close(struct callers *callers);

#endif
