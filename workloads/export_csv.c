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

/* The columns that only some traces have. */
static void columns_write(const struct export *export, const struct trace_op *op, unsigned columns)
{
    uint64_t present;
    if (columns & TRACE_GAPS)
        fprintf(export->out, ",%" PRIu64, op->gap_ns);
    if (columns & TRACE_SITES)
        fprintf(export->out, ",%" PRIu32, op->site);
    if (columns & TRACE_PRESENT && trace_op_present(op, &present))
        fprintf(export->out, ",%" PRIu64, present);
    else if (columns & TRACE_PRESENT)
        fputc(',', export->out);
}

static bool csv_write(struct export *export)
{
    const struct trace_op *op;
    unsigned columns = trace_reader_columns(export->reader);
    fprintf(export->out, "time_ns,thread,kind,slot,size,count,flags%s%s%s\n",
            columns & TRACE_GAPS ? ",gap_ns" : "", columns & TRACE_SITES ? ",site" : "",
            columns & TRACE_PRESENT ? ",present" : "");
    while ((op = export_next(export)) != NULL) {
        fprintf(export->out, "%" PRIu64 ",%" PRIu32 ",%s,", op->time_ns, op->thread,
                trace_kind_name(op->kind));
        if (op->slot != TRACE_NO_SLOT)
            fprintf(export->out, "%" PRIu32, op->slot);
        fprintf(export->out, ",%" PRIu64 ",%" PRIu64 ",%s", op->size, op->count,
                flag_names[op->flags & 7]);
        columns_write(export, op, columns);
        fputc('\n', export->out);
    }
    return export->error[0] == '\0';
}

const struct export_format export_csv = {
    .name = "csv",
    .summary = "one line an operation",
    .columns = TRACE_GAPS | TRACE_SITES | TRACE_PRESENT,
    .write = csv_write,
};
