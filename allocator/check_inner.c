/* Counting faults, and what may be looked at: see check_inner.h. */
#include "check_inner.h"
#include "kernel.h"

#include <stdio.h>
#include <unistd.h>

static void fault(struct check *check, const void *where, const char *what)
{
    if (check->faults++ == 0 && check->report)
        snprintf(check->report, CHECK_REPORT_MAX, "%p: %s", where, what);
}

bool expect(struct check *check, bool holds, const void *where, const char *what)
{
    if (!holds)
        fault(check, where, what);
    return holds;
}

bool check_is_listed(const struct check *check, const struct span *wanted)
{
    const struct span *span = check->heap->spans.first;
    while (span && span != wanted)
        span = span->next;
    return span == wanted;
}

bool check_block_shape(struct check *check, struct span *span, struct block *block)
{
    size_t room = (size_t)((char *)span_end(span) - (char *)block);
    return expect(check, room >= BLOCK_MIN, block, "size is impossible") &&
           expect(check, block_owner(block) == span, block, "owner is another span") &&
           expect(check, block_size(block) >= BLOCK_MIN && block_size(block) <= room, block,
                  "size is impossible");
}

bool check_linked_block(struct check *check, struct span *span, struct block *block)
{
    bool possible = span_holds(span, block) && ((uintptr_t)block + BLOCK_HEADER) % ALIGNMENT == 0;
    return expect(check, possible, span, "span has a block that is not in it") &&
           check_block_shape(check, span, block);
}

void check_tell(unsigned faults, const char *report)
{
    char line[CHECK_REPORT_MAX + 32];
    int bytes = snprintf(line, sizeof line, "span: %u fault%s, first %s\n", faults,
                         faults == 1 ? "" : "s", report);
    kernel_call(SYS_write, STDERR_FILENO, (long)line, bytes, 0, 0, 0);
}
