/*
 * From a profile to a trace. Memory is bounded by the blocks live at once.
 */
#ifndef WORKLOADS_SYNTH_MAKE_H
#define WORKLOADS_SYNTH_MAKE_H

#include "synth_profile.h"

struct synth_order {
    uint64_t ops;     /* all kinds, as `trace info` counts them */
    uint64_t threads; /* fewer where there are too few operations for them */
    uint64_t seed;
};

struct synth_made {
    uint64_t threads; /* that are in the trace */
    uint64_t callers; /* those that make a call */
};

/* Writes the operations and says of which threads. false: "PATH: what" in error, where the writer
 * does not know. */
bool synth_make(const struct synth_profile *profile, const struct synth_order *order,
                struct trace_writer *writer, struct synth_made *made, char error[TRACE_ERROR_MAX]);

#endif
