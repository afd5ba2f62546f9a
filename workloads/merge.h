/*
 * The traces of several processes side by side in time, as one: `trace merge`.
 */
#ifndef WORKLOADS_MERGE_H
#define WORKLOADS_MERGE_H

/*
 * `trace merge [--by-date] FILE... -o OUT`. Threads are numbered anew; no block passes from one
 * file to another. All files begin at time 0, with --by-date at the date of their origin, the
 * earliest at 0. Within a millisecond (a tick of the format) files stand in the order in which they
 * were named. Where a file has no times, all go by their share of operations done. Exit statuses 0,
 * 1 and 2.
 */
int merge_main(int argc, char **argv);

#endif
