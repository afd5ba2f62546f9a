/*
 * A trace of any length with the statistics of another one: `trace synth`.
 */
#ifndef WORKLOADS_SYNTH_H
#define WORKLOADS_SYNTH_H

/*
 * `trace synth FILE [--ops N] [--threads T] [--seed S] [--profile-only] -o OUT`. FILE is a trace,
 * or the profile of one. The same profile, N, T and S make the same bytes. Exit statuses 0, 1
 * and 2.
 */
int synth_main(int argc, char **argv);

#endif
