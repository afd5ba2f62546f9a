/*
 * The calls that few programs make, out of the loop's way.
 */
#include "step_call.h"

#include <malloc.h>

void *step_make_rare(enum trace_kind kind, size_t size, size_t operand)
{
    void *p = NULL;
    switch (kind) {
    case TRACE_CALLOC:
        return calloc(operand, size);
    case TRACE_ALIGNED_ALLOC:
        return aligned_alloc(operand, size);
    case TRACE_MEMALIGN:
        return memalign(operand, size);
    case TRACE_POSIX_MEMALIGN:
        return posix_memalign(&p, operand, size) == 0 ? p : NULL;
    case TRACE_VALLOC:
        return valloc(size);
    case TRACE_PVALLOC:
        return pvalloc(size);
    default:
        return NULL;
    }
}
