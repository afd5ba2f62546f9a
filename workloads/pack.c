/*
 * Copies a trace from a reader to a writer that compresses harder. Nothing of the trace changes:
 * origin, losses, operations and their order stay, and the gaps unless they are to be left out.
 */
#include "pack.h"

#include "in_out.h"
#include "trace_copy.h"

#include <stdio.h>

/* The exit status; the reader stays open. `columns` are those that may stay. */
static int pack(struct trace_reader *reader, const char *out, unsigned columns)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer =
        trace_copy_open(out, trace_reader_origin(reader), reader, columns, error);
    if (writer == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    trace_writer_compress(writer, PACK_LEVEL);
    int status = trace_copy(reader, writer);
    if (status != 0) {
        trace_writer_abandon(writer);
        return status;
    }
    if (!trace_writer_finish(writer, trace_reader_losses(reader), error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    return 0;
}

/* An in_out_take; --no-gaps is the only option. */
static bool gaps_leave_out(void *cookie, int option)
{
    (void)option;
    unsigned *columns = cookie;
    *columns &= ~(unsigned)TRACE_GAPS;
    return true;
}

int pack_main(int argc, char **argv)
{
    char error[TRACE_ERROR_MAX];
    static const struct option known[] = {{"no-gaps", no_argument, NULL, 'g'}, IN_OUT_OUTPUT, {0}};
    unsigned columns = TRACE_COLUMNS;
    struct in_out paths;
    if (!in_out_parse(&paths, argc, argv, known, gaps_leave_out, &columns,
                      "pack IN [--no-gaps] -o FILE"))
        return 2;
    struct trace_reader *reader = trace_reader_open(paths.in, error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = pack(reader, paths.out, columns);
    trace_reader_close(reader);
    return status;
}
