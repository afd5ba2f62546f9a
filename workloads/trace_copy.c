/*
 * Block by block.
 */
#include "trace_copy.h"

#include <stdio.h>

int trace_copy(struct trace_reader *reader, struct trace_writer *writer)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    size_t n;
    do {
        if (!trace_reader_next(reader, ops, &n)) {
            fprintf(stderr, "%s\n", trace_reader_error(reader));
            return 2;
        }
        for (size_t i = 0; i < n; i++) {
            if (!trace_writer_add(writer, &ops[i])) {
                fprintf(stderr, "%s\n", trace_writer_error(writer));
                return 1;
            }
        }
    } while (n > 0);
    return 0;
}
