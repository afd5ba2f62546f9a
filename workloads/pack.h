/*
 * The same trace in a smaller file: `trace pack`. For traces that are kept, as those of the corpus;
 * compressing that hard takes too long for every recording.
 */
#ifndef WORKLOADS_PACK_H
#define WORKLOADS_PACK_H

/* Measured on the corpus: 10 % less than the level of recordings; 22 takes longer for nothing. */
enum { PACK_LEVEL = 19 };

/*
 * `trace pack IN [--no-gaps] -o FILE`: writes IN again, operation by operation, compressed as hard
 * as zstd can at a sensible speed. FILE may be IN. With --no-gaps, the time between calls is left
 * out, which in a trace of several threads is more than half of the file. Exit status 0; 2 if IN is
 * missing or damaged; 1 if FILE cannot be written.
 */
int pack_main(int argc, char **argv);

#endif
