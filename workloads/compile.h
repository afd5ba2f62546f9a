/*
 * The compiler: turns the raw recording of one process image (workloads/raw.h) into a trace. It
 * merges the threads' streams by their stamps and leaves naming and repairing to the builder.
 */
#ifndef WORKLOADS_COMPILE_H
#define WORKLOADS_COMPILE_H

/*
 * `trace compile [--json] [--origin KEY=VALUE]... RAW -o FILE`. Prints one line of counts (or one
 * JSON object: ops, threads, unknown_frees, unknown_reallocs, repaired_inversions, lost_ops,
 * lost_why). Exit status 0; 1 I/O error on the way; 2 RAW is missing or is no raw recording.
 */
int compile_main(int argc, char **argv);

#endif
