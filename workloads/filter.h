/*
 * Some of the blocks of a trace, with all that happens to them, as a trace: `trace filter`.
 */
#ifndef WORKLOADS_FILTER_H
#define WORKLOADS_FILTER_H

/*
 * `trace filter FILE [--threads LIST] [--sizes MIN:MAX] [--kinds LIST] -o OUT`. A block is kept if
 * a listed thread made it, by a call of a listed kind, and while its bytes are in the range: a
 * realloc that leaves the range frees it, one that enters the range makes it. Who frees or resizes
 * it does not matter. Exit statuses 0, 1 and 2.
 */
int filter_main(int argc, char **argv);

#endif
