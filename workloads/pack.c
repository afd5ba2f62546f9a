/*
 * Copies a trace from a reader to a writer that compresses harder. Nothing of the trace changes:
 * origin, losses, operations and their order stay.
 */
#include "pack.h"

#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hands all operations on. false after a message; *status says whose fault it is. */
static bool ops_copy(struct trace_reader *reader, struct trace_writer *writer, int *status)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    size_t n;
    do {
        if (!trace_reader_next(reader, ops, &n)) {
            fprintf(stderr, "%s\n", trace_reader_error(reader));
            *status = 2;
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            if (!trace_writer_add(writer, &ops[i])) {
                fprintf(stderr, "%s\n", trace_writer_error(writer));
                *status = 1;
                return false;
            }
        }
    } while (n > 0);
    return true;
}

/* The exit status; the reader stays open. */
static int pack(struct trace_reader *reader, const char *out)
{
    char error[TRACE_ERROR_MAX];
    int status = 0;
    struct trace_writer *writer = trace_writer_open(out, trace_reader_origin(reader), error);
    if (writer == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    trace_writer_compress(writer, PACK_LEVEL);
    if (!ops_copy(reader, writer, &status)) {
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
