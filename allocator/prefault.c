/* What page faults cost, and which pages come together: see prefault.h. */
#include "prefault.h"
#include "options.h"
#include "os.h"

/* Whether so many small pages as a huge one has took as long as the last huge one that was slow. */
static bool small_is_as_slow(const struct spans *spans)
{
    return OS_HUGE_PAGE / os_page_size() * spans->page_ns >= spans->huge_ns;
}

/* Whether the next span is to be on a huge page. */
static bool huge_is_wanted(struct spans *spans)
{
    enum options_thp thp = options_current().thp;
    if (thp != OPTIONS_THP_DEFAULT)
        return thp == OPTIONS_THP_ALWAYS;
    if (spans->huge_wait == 0 || small_is_as_slow(spans)) {
        spans->huge_wait = 0;
        return true;
    }
    spans->huge_wait--;
    return false;
}

/* Learns from the processor time that the first touch of a huge page took. */
static void huge_learn(struct spans *spans, uint64_t took_ns)
{
    spans->huge_ns = took_ns;
    bool is_slow = took_ns > PREFAULT_HUGE_SLOW_NS;
    if (is_slow && small_is_as_slow(spans)) {
        spans->page_ns -= spans->page_ns / PREFAULT_FADE_SHARE;
        is_slow = false;
    }
    if (!is_slow) {
        spans->huge_pause /= 2;
        return;
    }
    spans->huge_pause = 2 * spans->huge_pause + took_ns / PREFAULT_HUGE_SLOW_NS;
    spans->huge_wait = spans->huge_pause;
}

struct span *prefault_map_huge(struct spans *spans)
{
    if (!huge_is_wanted(spans))
        return span_map_huge(spans, false);
    uint64_t before_ns = os_spent_ns();
    struct span *span = span_map_huge(spans, true);
    if (!span)
        return NULL;
    huge_learn(spans, os_spent_ns() - before_ns);
    /* The span's first page was touched, which brought the last one if they are one huge page. */
    if (os_is_there((char *)span + OS_HUGE_PAGE - os_page_size()))
        span->touched = span->size;
    return span;
}

/* Faults in whole pages; while huge ones are done without, learns what each costs. */
static void fault_in(struct spans *spans, char *start, size_t bytes)
{
    if (spans->huge_wait == 0) {
        os_fault_in(start, bytes);
        return;
    }
    uint64_t before_ns = os_spent_ns();
    os_fault_in(start, bytes);
    uint64_t page_ns = (os_spent_ns() - before_ns) / (bytes / os_page_size());
    spans->page_ns = (3 * spans->page_ns + page_ns) / 4;
}

void prefault_from(struct spans *spans, struct span *span, size_t reach, size_t gross, size_t rest)
{
    size_t mask = os_page_size() - 1;
    size_t near = reach - gross > span->touched ? reach - gross : span->touched;
    size_t far = reach + (rest < PREFAULT_BYTES ? rest : PREFAULT_BYTES);
    near &= ~mask;
    far = (far + mask) & ~mask;
    span->touched = far;
    if (far - near > mask + 1) /* one page comes as quickly by itself */
        fault_in(spans, (char *)span + (BUILD_CUTS_RUNS ? near : span->size - far), far - near);
}
