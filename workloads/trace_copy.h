/*
 * Operations from a reader to a writer that has what the reader has.
 */
#ifndef WORKLOADS_TRACE_COPY_H
#define WORKLOADS_TRACE_COPY_H

#include "trace.h"

/* As trace_writer_open_columns, with the table of sites of a reader, which must live until the
   writer is finished, and those of `columns` that the reader has (TRACE_COLUMNS for all). */
struct trace_writer *trace_copy_open(const char *path, const char *origin,
                                     const struct trace_reader *reader, unsigned columns,
                                     char error[TRACE_ERROR_MAX]);
/* Hands all operations on. Exit status 0, or, after a message, 1 (the writer's fault) or 2. */
int trace_copy(struct trace_reader *reader, struct trace_writer *writer);

#endif
