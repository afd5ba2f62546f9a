/*
 * From the command line to a reader, and back to an exit status.
 */
#include "site_command.h"

#include "in_out.h"

#include <stdio.h>

int site_command_run(int argc, char **argv, const char *usage, site_answer answer)
{
    char error[TRACE_ERROR_MAX];
    if (argc != 2) {
        fprintf(stderr, "usage: trace %s\n", usage);
        return 2;
    }
    struct trace_reader *reader = trace_reader_open(argv[1], error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    const char *fault = "has no call sites; record it with --sites";
    if (trace_reader_columns(reader) & TRACE_SITES)
        fault = answer(reader);
    if (fault != NULL && fault == trace_reader_error(reader))
        fprintf(stderr, "%s\n", fault);
    else if (fault != NULL)
        fprintf(stderr, "%s: %s\n", argv[1], fault);
    trace_reader_close(reader);
    return fault != NULL ? 2 : in_out_end();
}
