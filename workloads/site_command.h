/*
 * What commands have in common that tell of the call sites of one trace: `trace sites FILE`,
 * `trace moments FILE`.
 */
#ifndef WORKLOADS_SITE_COMMAND_H
#define WORKLOADS_SITE_COMMAND_H

#include "trace.h"

/* Prints what is asked of a trace with call sites. NULL, or why it could not: the reader's error,
   or what stands behind "FILE: ". */
typedef const char *(*site_answer)(struct trace_reader *reader);

/* Opens the file and has it answered. Exit status 0; 2 if the file is no good, has no call sites or
   the answer fails; 1 if standard output does. */
int site_command_run(int argc, char **argv, const char *usage, site_answer answer);

#endif
