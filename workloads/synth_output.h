/*
 * Where the calls of a synthesised trace go: numbers and starts threads, keeps the time, and ends
 * after exactly as many operations as were asked for.
 */
#ifndef WORKLOADS_SYNTH_OUTPUT_H
#define WORKLOADS_SYNTH_OUTPUT_H

#include "trace.h"

struct synth_output {
    struct trace_writer *writer;
    uint64_t ops, wanted; /* operations written, and to write in all */
    uint64_t peak;        /* threads there may be */
    uint32_t *numbers;    /* by thread: 1 + its number in the trace; 0: it has not started */
    uint32_t started;
    uint32_t callers; /* threads that made a call */
    bool ends;        /* threads end at the end of the trace */
    double time_ns, ns_an_op;
};

/* For a writer that is open. false and errno when memory is out. */
bool synth_output_open(struct synth_output *output, struct trace_writer *writer, uint64_t ops,
                       uint64_t threads, bool ends);
void synth_output_close(struct synth_output *output);
/* Writes op by this thread, which starts if it must; where there is room for one operation only,
   another thread makes the call. Sets op->thread. false: the trace has all its operations, or the
   writer knows. */
bool synth_output_put(struct synth_output *output, struct trace_op *op, uint32_t thread);
/* The threads end. false: the writer knows. */
bool synth_output_end(struct synth_output *output);

#endif
