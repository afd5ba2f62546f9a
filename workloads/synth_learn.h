/*
 * From a trace to its profile. Memory is bounded by the blocks live at once and by how many keys
 * the counts may have (count_map.h), whatever the trace's length; it is read twice.
 */
#ifndef WORKLOADS_SYNTH_LEARN_H
#define WORKLOADS_SYNTH_LEARN_H

#include "synth_profile.h"

/* An empty profile becomes that of the trace at `path`. false: "PATH: what" in error. */
bool synth_learn(struct synth_profile *profile, const char *path, char error[TRACE_ERROR_MAX]);

#endif
