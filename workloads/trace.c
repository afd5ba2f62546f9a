/*
 * What can be said of a single operation without knowing the others. No reading or writing here.
 */
#include "trace.h"

bool trace_op_makes(const struct trace_op *op)
{
    if (op->flags & TRACE_FAILED)
        return false;
    if (op->kind == TRACE_REALLOC)
        return op->flags & TRACE_NULL;
    return op->kind != TRACE_FREE && op->kind < TRACE_THREAD_START;
}

bool trace_op_frees(const struct trace_op *op)
{
    if (op->flags & (TRACE_FAILED | TRACE_NULL))
        return false;
    return op->kind == TRACE_FREE || (op->kind == TRACE_REALLOC && op->size == 0);
}

uint64_t trace_op_bytes(const struct trace_op *op)
{
    return op->kind == TRACE_CALLOC ? op->size * op->count : op->size;
}

const char *trace_kind_name(enum trace_kind kind)
{
    static const char *const names[TRACE_KINDS] = {
        [TRACE_MALLOC] = "malloc",
        [TRACE_CALLOC] = "calloc",
        [TRACE_REALLOC] = "realloc",
        [TRACE_FREE] = "free",
        [TRACE_ALIGNED_ALLOC] = "aligned_alloc",
        [TRACE_MEMALIGN] = "memalign",
        [TRACE_POSIX_MEMALIGN] = "posix_memalign",
        [TRACE_VALLOC] = "valloc",
        [TRACE_PVALLOC] = "pvalloc",
        [TRACE_THREAD_START] = "thread_start",
        [TRACE_THREAD_END] = "thread_end",
    };
    return kind < TRACE_KINDS ? names[kind] : "unknown";
}
