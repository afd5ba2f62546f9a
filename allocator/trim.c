/* See trim.h. */
#include "trim.h"
#include "arena.h"

#if SPAN_FAST
#include "own_cache.h"

void arenas_settle(void)
{
    if (cache_delays(own_cache))
        cache_free_delayed(own_cache);
    for (int i = 0; i < BUILD_ARENAS; i++)
        arena_settle(&arenas[i]);
}

static void drain(void)
{
    struct thread_cache *cache = own_cache_open();
    arenas_settle();
    if (cache)
        cache_drain(cache);
}
#else
void arenas_settle(void)
{
}

static void drain(void)
{
}
#endif

static size_t mapped(void)
{
    size_t bytes = 0;
    for (int i = 0; i < BUILD_ARENAS; i++) {
        bool locked = arena_lock(&arenas[i]);
        bytes += arenas[i].heap.spans.mapped;
        arena_unlock(&arenas[i], locked);
    }
    return bytes;
}

/* Unmaps cached spans until no more than `pad` bytes are cached, or the system refuses. */
static bool spans_trim(struct spans *spans, size_t pad)
{
    bool trimmed = false;
    while (spans->cached_bytes > pad && span_cache_unmap(spans, spans->cached))
        trimmed = true;
    return trimmed;
}

bool arenas_trim(size_t pad)
{
    size_t before = mapped();
    drain();
    bool trimmed = mapped() < before;
    for (int i = 0; i < BUILD_ARENAS; i++) {
        struct spans *spans = &arenas[i].heap.spans;
        bool locked = arena_lock(&arenas[i]);
        trimmed = spans_trim(spans, pad) || trimmed;
        pad -= spans->cached_bytes < pad ? spans->cached_bytes : pad;
        arena_unlock(&arenas[i], locked);
    }
    return trimmed;
}
