/*
 * The program `trace`: a table of what can be done to traces, each in a file of its own.
 */
#include "compile.h"
#include "cut.h"
#include "export.h"
#include "filter.h"
#include "import.h"
#include "info.h"
#include "merge.h"
#include "pack.h"
#include "site_census.h"
#include "site_moments.h"
#include "strip.h"
#include "subset.h"
#include "synth.h"
#include "unfinished.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *usage;
} commands[] = {
    {"compile", compile_main, "[--json] [--strip] [--origin KEY=VALUE]... RAW -o FILE"},
    {"cut", cut_main, "FILE [--ops A:B] [--time A:B] [--threads LIST] -o OUT"},
    {"filter", filter_main, "FILE [--threads LIST] [--sizes MIN:MAX] [--kinds LIST] -o OUT"},
    {"import", import_main, "[--from FORMAT] IN -o FILE"},
    {"export", export_main, "--to FORMAT FILE -o OUT"},
    {"info", info_main, "[--all-sizes] FILE"},
    {"merge", merge_main, "[--by-date] FILE... -o OUT"},
    {"moments", moments_main, "FILE < LINES"},
    {"pack", pack_main, "IN [--no-gaps] -o FILE"},
    {"sites", sites_main, "FILE"},
    {"strip", strip_main, "FILE -o OUT"},
    {"subset", subset_main, "[--keep FILE -o OUT] IN"},
    {"synth", synth_main, "FILE [--ops N] [--threads T] [--seed S] [--profile-only] -o OUT"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int usage_print(FILE *out, int status)
{
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "%s trace %s %s\n", i ? "      " : "usage:", commands[i].name,
                commands[i].usage);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage_print(stderr, 2);
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        return usage_print(stdout, 0);
    unfinished_watch();
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    }
    fprintf(stderr, "trace: no command %s\n", argv[1]);
    return usage_print(stderr, 2);
}
