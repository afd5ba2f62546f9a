/*
 * What a trace holds, for people and programs: `trace info`. Reads (and so verifies) every block.
 */
#ifndef WORKLOADS_INFO_H
#define WORKLOADS_INFO_H

/*
 * `trace info [--all-sizes] FILE`: one JSON object on standard output (the front end makes the page
 * for people from it), with --all-sizes every size that occurs. Exit status 0; 2 if FILE is missing
 * or damaged, with one line on standard error.
 */
int info_main(int argc, char **argv);

#endif
