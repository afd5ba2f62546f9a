/*
 * The command line of what reads one file and writes another: `trace COMMAND [OPTION]... IN -o
 * OUT`; and the end of what prints.
 */
#ifndef WORKLOADS_IN_OUT_H
#define WORKLOADS_IN_OUT_H

#include <getopt.h>
#include <stdbool.h>

struct in_out {
    const char *in, *out;
};

/* Takes an option of the command's own, whose value is optarg. false: it has said what is wrong. */
typedef bool (*in_out_take)(void *cookie, int option);

/* Releases of clang-format break these braces differently. */
/* clang-format off */
#define IN_OUT_OUTPUT {"output", required_argument, NULL, 'o'}
/* clang-format on */

/* `known` has the command's options, IN_OUT_OUTPUT among them; take may be NULL where there are no
   others. false, and a line on stderr (`usage` where a file is missing or an option not known). */
bool in_out_parse(struct in_out *paths, int argc, char **argv, const struct option *known,
                  in_out_take take, void *cookie, const char *usage);

/* The exit status of a command that has printed all: 0; 1 after a line on stderr if standard output
   could not take it. */
int in_out_end(void);

#endif
