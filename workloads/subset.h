/*
 * `trace subset`: some of the calls of a trace as a trace of its own, for those who look for the
 * shortest one that still shows a fault.
 */
#ifndef WORKLOADS_SUBSET_H
#define WORKLOADS_SUBSET_H

/*
 * trace subset IN: prints how many units IN has. trace subset --keep FILE IN -o OUT: writes those
 * units that FILE names, by lines "FIRST END" that ascend (END is not in it). A unit is a call that
 * makes a block, with the call that frees it; a call that resizes a block, which goes too if the
 * block goes; and any call that has no block. Threads that no call is left of are left out. 0, 1
 * (the work failed) or 2 (usage, no good input or output).
 */
int subset_main(int argc, char **argv);

#endif
