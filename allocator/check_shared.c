/* Shared spans: see check.h. */
#include "check_inner.h"

void check_shared_span(struct check *check, const struct span *span)
{
    int times = 0;
    for (int i = 0; i < HEAP_SHARED_MAX; i++)
        times += check->heap->shared[i] == span;
    expect(check, times == (span->kind == SPAN_SHARED), span,
           "span is shared and the heap does not know it, or the other way round");
}
