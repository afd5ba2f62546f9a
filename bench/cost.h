/*
 * What a stretch of a run takes: clocks, the system's split of the time, page faults. Nothing here
 * calls malloc.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include "json_text.h"

#include <stdint.h>

struct cost {
    uint64_t real_time_ns;
    uint64_t cpu_time_ns; /* of all threads */
    uint64_t user_ns;     /* the system's own split of the time; coarser than cpu_time_ns */
    uint64_t sys_ns;
    uint64_t minor_faults;
    uint64_t major_faults;
};

/* The readings to take just before and just after what is measured. */
struct cost cost_before(void);
struct cost cost_after(void);
void cost_add(struct cost *sum, const struct cost *before, const struct cost *after);
void cost_subtract(struct cost *sum, const struct cost *part);
/* Appends the fields by their names, a comma first. */
void cost_print(const struct cost *cost, struct json_text *text);

#endif
