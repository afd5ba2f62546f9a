/*
 * Copies a trace from a reader to a writer that compresses harder. Nothing of the trace changes:
 * origin, losses, operations and their order stay.
 */
#include "pack.h"

#include "trace_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The exit status; the reader stays open. */
static int pack(struct trace_reader *reader, const char *out)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer = trace_copy_open(out, trace_reader_origin(reader), reader, error);
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

int pack_main(int argc, char **argv)
{
    char error[TRACE_ERROR_MAX];
    if (argc != 4 || strcmp(argv[2], "-o") != 0) {
        fputs("usage: trace pack IN -o FILE\n", stderr);
        return 2;
    }
    struct trace_reader *reader = trace_reader_open(argv[1], error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = pack(reader, argv[3]);
    trace_reader_close(reader);
    return status;
}
