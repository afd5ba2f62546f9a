/*
 * One line an operation, as comma-separated values with a line of names: all that a trace says of
 * it. Slots are those of the reader.
 */
#include "export.h"

#include <inttypes.h>

static const char *const flag_names[] = {
    "",        "failed",         "null",         "failed+null",
    "handoff", "failed+handoff", "null+handoff", "failed+null+handoff",
};

static bool csv_write(struct export *export)
{
    const struct trace_op *op;
    fputs("time_ns,thread,kind,slot,size,count,flags\n", export->out);
    while ((op = export_next(export)) != NULL) {
        fprintf(export->out, "%" PRIu64 ",%" PRIu32 ",%s,", op->time_ns, op->thread,
                trace_kind_name(op->kind));
        if (op->slot != TRACE_NO_SLOT)
            fprintf(export->out, "%" PRIu32, op->slot);
        fprintf(export->out, ",%" PRIu64 ",%" PRIu64 ",%s\n", op->size, op->count,
                flag_names[op->flags & 7]);
    }
    return export->error[0] == '\0';
}

const struct export_format export_csv = {
    .name = "csv",
    .summary = "one line an operation",
    .write = csv_write,
};
