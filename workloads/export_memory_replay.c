/*
 * Android's memory_replay text in its oldest grammar, which every version of the tool reads: no
 * stamps. Addresses are made up from slots.
 */
#include "export.h"

#include <inttypes.h>

enum {
    ADDRESS_STEP = 16,
    PAGE_BYTES = 4096, /* alignment of valloc and pvalloc */
};

static uint64_t address_of(const struct trace_op *op)
{
    return op->slot == TRACE_NO_SLOT ? 0 : ((uint64_t)op->slot + 1) * ADDRESS_STEP;
}

static void realloc_put(FILE *out, const struct trace_op *op)
{
    bool null = op->flags & TRACE_NULL;
    bool none = op->flags & TRACE_FAILED || (!null && op->size == 0);
    fprintf(out, "realloc 0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64 "\n", none ? 0 : address_of(op),
            null ? 0 : address_of(op), op->size);
}

static uint64_t alignment_of(const struct trace_op *op)
{
    return op->kind == TRACE_VALLOC || op->kind == TRACE_PVALLOC ? PAGE_BYTES : op->count;
}

/* The line behind the thread's number. */
static void op_put(FILE *out, const struct trace_op *op, uint64_t *aligned)
{
    switch ((enum trace_kind)op->kind) {
    case TRACE_MALLOC:
        fprintf(out, "malloc 0x%" PRIx64 " %" PRIu64 "\n", address_of(op), op->size);
        break;
    case TRACE_CALLOC:
        fprintf(out, "calloc 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", address_of(op), op->count,
                op->size);
        break;
    case TRACE_REALLOC:
        realloc_put(out, op);
        break;
    case TRACE_FREE:
        fprintf(out, "free 0x%" PRIx64 "\n", address_of(op));
        break;
    case TRACE_THREAD_END:
        fputs("thread_done 0x0\n", out);
        break;
    default:
        *aligned += op->kind != TRACE_MEMALIGN;
        fprintf(out, "memalign 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", address_of(op),
                alignment_of(op), op->size);
    }
}

static bool memory_replay_write(struct export *export)
{
    const struct trace_op *op;
    uint64_t aligned = 0;
    while ((op = export_next(export)) != NULL) {
        if (op->kind == TRACE_THREAD_START)
            continue; /* a thread's first line says as much */
        fprintf(export->out, "%" PRIu32 ": ", op->thread);
        op_put(export->out, op, &aligned);
    }
    export_lose(export, aligned, "aligned call", "became memalign");
    export_lose_time(export);
    return export->error[0] == '\0';
}

const struct export_format export_memory_replay = {
    .name = "memory_replay",
    .summary = "Android memory_replay text",
    .write = memory_replay_write,
};
