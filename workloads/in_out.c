/*
 * getopt, two paths, and stdio's word on standard output.
 */
#include "in_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool in_out_parse(struct in_out *paths, int argc, char **argv, const struct option *known,
                  in_out_take take, void *cookie, const char *usage)
{
    int option;
    bool good = true;
    *paths = (struct in_out){0};
    while (good && (option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        if (option == 'o')
            paths->out = optarg;
        else if (option == '?')
            good = false;
        else if (!take(cookie, option))
            return false;
    }
    if (good && optind + 1 == argc && paths->out != NULL) {
        paths->in = argv[optind];
        return true;
    }
    fprintf(stderr, "usage: trace %s\n", usage);
    return false;
}

int in_out_end(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "standard output: %s\n", strerror(errno));
    return 1;
}
