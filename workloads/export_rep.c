/*
 * A .rep file of the CS:APP malloc lab, header of 2015: all threads' operations in the trace's
 * order. Every block has an id of its own, as in the lab's own files: its drivers keep what an id
 * was.
 */
#include "export.h"
#include "pages.h"

#include <inttypes.h>

/* Ids given so far. */
struct ids {
    uint64_t *of; /* by slot */
    size_t capacity;
    uint64_t next;
};

static bool op_is_said(const struct trace_op *op)
{
    return op->kind < TRACE_THREAD_START && !(op->flags & TRACE_FAILED);
}

/* The header's counts come from a reading before: they stand before the operations. */
static bool header_put(struct export *export)
{
    const struct trace_op *op;
    uint64_t ids = 0, ops = 0;
    while ((op = export_next(export)) != NULL) {
        ops += op_is_said(op);
        ids += trace_op_makes(op);
    }
    if (export->error[0] != '\0')
        return false;
    fprintf(export->out, "1\n%" PRIu64 "\n%" PRIu64 "\n0\n", ids, ops);
    return export_rewind(export);
}

static bool id_give(struct ids *ids, uint32_t slot)
{
    void *p = ids->of;
    if (!pages_reserve(&p, &ids->capacity, sizeof *ids->of, (size_t)slot + 1))
        return false;
    ids->of = p;
    ids->of[slot] = ids->next++;
    return true;
}

static bool op_put(struct export *export, struct ids *ids, const struct trace_op *op)
{
    if (op->kind == TRACE_FREE && op->flags & TRACE_NULL) {
        fputs("f -1\n", export->out);
        return true;
    }
    if (trace_op_makes(op) && !id_give(ids, op->slot))
        return export_fail_errno(export);
    uint64_t id = ids->of[op->slot];
    if (op->kind == TRACE_FREE)
        fprintf(export->out, "f %" PRIu64 "\n", id);
    else
        fprintf(export->out, "%c %" PRIu64 " %" PRIu64 "\n", op->kind == TRACE_REALLOC ? 'r' : 'a',
                id, trace_op_bytes(op));
    return true;
}

static void losses_note(struct export *export)
{
    const struct trace_totals *totals = &export->totals;
    export_lose(export, totals->threads > 1 ? totals->threads : 0, "thread", "became one");
    export_lose(export, totals->by_kind[TRACE_CALLOC], "calloc", "became a");
    export_lose(export, export_aligned_calls(export), "aligned call", "became a");
    export_lose(export, totals->failed, "failed call", "left out");
    export_lose_time(export);
}

static bool rep_write(struct export *export)
{
    const struct trace_op *op;
    struct ids ids = {0};
    bool ok = header_put(export);
    while (ok && (op = export_next(export)) != NULL)
        ok = !op_is_said(op) || op_put(export, &ids, op);
    pages_unmap(ids.of, ids.capacity * sizeof *ids.of);
    ok = ok && export->error[0] == '\0';
    if (ok)
        losses_note(export);
    return ok;
}

const struct export_format export_rep = {
    .name = "rep",
    .summary = "CS:APP malloc lab .rep",
    .write = rep_write,
};
