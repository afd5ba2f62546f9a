/* What page faults cost, and which pages come together: see prefault.h. */
#include "prefault.h"
#include "options.h"
#include "os.h"

/* Whether the next span is to be on a huge page, when the thread has spent so long. */
static bool huge_is_wanted(const struct spans *spans, uint64_t spent_ns)
{
    enum options_thp thp = options_current().thp;
    if (thp != OPTIONS_THP_DEFAULT)
        return thp == OPTIONS_THP_ALWAYS;
    return spans->huge_lost_ns <= spent_ns / PREFAULT_LOSS_SHARE;
}

struct span *prefault_map_huge(struct spans *spans)
{
    uint64_t before_ns = os_spent_ns();
    if (!huge_is_wanted(spans, before_ns))
        return span_map_huge(spans, false);
    struct span *span = span_map_huge(spans, true);
    if (!span)
        return NULL;
    uint64_t took_ns = os_spent_ns() - before_ns;
    if (took_ns > PREFAULT_HUGE_FAIR_NS)
        spans->huge_lost_ns += took_ns - PREFAULT_HUGE_FAIR_NS;
    /* The span's first page was touched, which brought the last one if they are one huge page. */
    if (os_is_there((char *)span + OS_HUGE_PAGE - os_page_size()))
        span->touched = span->size;
    return span;
}

void prefault_from(struct span *span, size_t reach, size_t gross, size_t rest)
{
    size_t mask = os_page_size() - 1;
    size_t near = reach - gross > span->touched ? reach - gross : span->touched;
    size_t far = reach + (rest < PREFAULT_BYTES ? rest : PREFAULT_BYTES);
    near &= ~mask;
    far = (far + mask) & ~mask;
    span->touched = far;
    if (far - near > mask + 1) /* one page comes as quickly by itself */
        os_fault_in((char *)span + (BUILD_CUTS_RUNS ? near : span->size - far), far - near);
}
