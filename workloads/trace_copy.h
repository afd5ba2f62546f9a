/*
 * All operations of a trace, from a reader to a writer.
 */
#ifndef WORKLOADS_TRACE_COPY_H
#define WORKLOADS_TRACE_COPY_H

#include "trace.h"

/* 0; 1 (writing failed) or 2 (the trace is no good) after a line on stderr. */
int trace_copy(struct trace_reader *reader, struct trace_writer *writer);

#endif
