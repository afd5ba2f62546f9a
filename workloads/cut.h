/*
 * The operations of a range, of a stretch of time or of some threads, as a trace: `trace cut`.
 */
#ifndef WORKLOADS_CUT_H
#define WORKLOADS_CUT_H

/*
 * `trace cut FILE [--ops A:B] [--time A:B] [--threads LIST] -o OUT`. What was live at the start of
 * the range is made first. A range begins with its first number and ends before its second one;
 * times are seconds. Exit statuses 0, 1 and 2.
 */
int cut_main(int argc, char **argv);

#endif
