/*
 * `trace cut`: the beginning of a trace as a trace of its own. What is not in it any more is not
 * told apart from what was never recorded, but the origin says that it is a cut.
 */
#ifndef WORKLOADS_CUT_H
#define WORKLOADS_CUT_H

/* trace cut --ops N IN -o OUT; 0, 1 (the work failed) or 2 (usage, no good input or output). */
int cut_main(int argc, char **argv);

#endif
