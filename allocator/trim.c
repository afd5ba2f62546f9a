/* See trim.h. */
#include "trim.h"
#include "guard.h"

#if SPAN_FAST
#include "thread_front.h"

void pool_settle(void)
{
    if (front_delays(thread_front))
        front_free_delayed(thread_front);
}

static void cache_drain(void)
{
    struct front *front = thread_front_open();
    pool_settle();
    if (front)
        front_drain(front);
}
#else
void pool_settle(void)
{
}

static void cache_drain(void)
{
}
#endif

static size_t mapped(void)
{
    size_t bytes = 0;
    for (int i = 0; i < BUILD_HEAPS; i++) {
        bool locked = guard_lock(&guards[i]);
        bytes += guards[i].heap.spans.mapped;
        guard_unlock(&guards[i], locked);
    }
    return bytes;
}

/* Unmaps kept spans until no more than `pad` bytes are kept, or the system refuses. */
static bool spans_trim(struct spans *spans, size_t pad)
{
    bool trimmed = false;
    while (spans->kept_bytes > pad && span_unmap(spans, spans->kept))
        trimmed = true;
    return trimmed;
}

bool pool_trim(size_t pad)
{
    size_t before = mapped();
    cache_drain();
    bool trimmed = mapped() < before;
    for (int i = 0; i < BUILD_HEAPS; i++) {
        struct spans *spans = &guards[i].heap.spans;
        bool locked = guard_lock(&guards[i]);
        trimmed = spans_trim(spans, pad) || trimmed;
        pad -= spans->kept_bytes < pad ? spans->kept_bytes : pad;
        guard_unlock(&guards[i], locked);
    }
    return trimmed;
}
