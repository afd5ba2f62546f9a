/*
 * Copies a trace, see trace_copy.h.
 */
#include "trace_copy.h"

#include "pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct trace_writer *trace_copy_open(const char *path, const char *origin,
                                     const struct trace_reader *reader, unsigned columns,
                                     char error[TRACE_ERROR_MAX])
{
    columns &= trace_reader_columns(reader);
    struct trace_writer *writer = trace_writer_open_columns(path, origin, columns, error);
    if (writer != NULL)
        trace_writer_sites(writer, trace_reader_sites(reader));
    return writer;
}

static int copy_fail(const char *fault, int status)
{
    fprintf(stderr, "%s\n", fault);
    return status;
}

static int operations_copy(struct trace_reader *reader, struct trace_writer *writer,
                           struct trace_op *ops)
{
    size_t n;
    do {
        if (!trace_reader_next(reader, ops, &n))
            return copy_fail(trace_reader_error(reader), 2);
        for (size_t i = 0; i < n; i++) {
            if (!trace_writer_add(writer, &ops[i]))
                return copy_fail(trace_writer_error(writer), 1);
        }
    } while (n > 0);
    return 0;
}

int trace_copy(struct trace_reader *reader, struct trace_writer *writer)
{
    size_t bytes = TRACE_BLOCK_OPS * sizeof(struct trace_op);
    struct trace_op *ops = pages_map(bytes);
    if (ops == NULL)
        return copy_fail(strerror(errno), 1);
    int status = operations_copy(reader, writer, ops);
    pages_unmap(ops, bytes);
    return status;
}
