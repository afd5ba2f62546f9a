/*
 * A trace without what identifies its maker, so that it may be published: `trace strip`.
 */
#ifndef WORKLOADS_STRIP_H
#define WORKLOADS_STRIP_H

/*
 * `trace strip FILE -o OUT`: the same operations; of origin and losses only the lines that
 * trace_text_strip keeps, which are printed. OUT may be FILE. Exit statuses 0, 1 and 2.
 */
int strip_main(int argc, char **argv);

#endif
