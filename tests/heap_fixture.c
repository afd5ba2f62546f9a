/* See heap_fixture.h. */
#include "heap_fixture.h"
#include "allocator/check.h"
#include "fake_os.h"

#include <stdio.h>
#include <string.h>

struct heap heap;

int fresh_heap(void **state)
{
    (void)state;
    memset(&heap, 0, sizeof heap);
    fake_os_reset();
    return 0;
}

int sound_heap(void **state)
{
    (void)state;
    char report[CHECK_REPORT_MAX];
    unsigned faults = heap_check(&heap, report);
    if (faults)
        fprintf(stderr, "heap_check: %u faults, first %s\n", faults, report);
    return faults ? -1 : 0;
}

void drop_heap(void)
{
    fake_os.unmaps_fail = false;
    fake_os.unmap_fails_in = FAKE_OS_NEVER;
    while (heap.spans.first && span_unmap(&heap.spans, heap.spans.first))
        ;
    memset(&heap, 0, sizeof heap);
}

struct span *span_of(void *p)
{
    return block_owner(block_from_payload(p));
}
