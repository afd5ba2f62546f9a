/* Which empty spans are kept, and what they are used for: see span_cache.h. */
#include "span_cache.h"
#include "options.h"
#include "os.h"
#include "prefault.h"

#include <assert.h>

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes that are cached whatever is live: what was learnt from spans that were returned too early.
 */
static size_t limit_learnt(const struct spans *spans)
{
    return lesser(options_current().keep_max, greater(spans->cache_limit, SPAN_CACHE_FIRST));
}

/* Bytes that are cached while there are `dedicated` bytes of such spans. */
static size_t limit_beside(const struct spans *spans, size_t dedicated)
{
    size_t allowed = BUILD_CUTS_CACHED ? SPAN_CACHE_TIMES * dedicated : 0;
    return lesser(options_current().keep_max, greater(limit_learnt(spans), allowed));
}

static size_t spans_used(const struct spans *spans)
{
    return spans->mapped - spans->cached_bytes;
}

/* To be called when bytes of spans that are not cached have become more. */
static void note_used(struct spans *spans)
{
    spans->used_peak = greater(spans->used_peak, spans_used(spans));
}

static void note_returned(struct spans *spans, size_t size, size_t missed)
{
    spans->returned = size;
    spans->returned_count++;
    spans->missed = missed;
}

/* What the limit may come to for the sake of spans of `size` bytes. */
static size_t limit_most(size_t size)
{
    return greater(SPAN_CACHE_FEW * size, lesser(SPAN_CACHE_MANY * size, SPAN_CACHE_LAST / 2));
}

/* Learns from a span of `size` bytes that is asked for: the one returned last should have been
   kept, and, when another is asked for, the one before it as well. */
static void learn_asked(struct spans *spans, size_t size)
{
    if (size > spans->returned)
        return;
    if (spans->missed <= SPAN_CACHE_LAST && spans->missed > spans->cache_limit)
        spans->cache_limit = spans->missed;
    if (--spans->returned_count == 0)
        spans->returned = 0;
    else
        spans->missed = lesser(spans->missed + size, limit_most(spans->returned));
}

void span_cache_allow(struct spans *spans, size_t bytes)
{
    spans->cache_limit = greater(spans->cache_limit, lesser(bytes, SPAN_CACHE_LAST));
}

void span_cache_put(struct spans *spans, struct span *span)
{
    assert(span->indexed_map == 0 && "its links are free");
    span_set_kind(spans, span, SPAN_CACHED);
    span->indexed[0] = (struct span_links){NULL, spans->cached};
    if (spans->cached)
        spans->cached->indexed[0].prev = span;
    spans->cached = span;
    spans->cached_count++;
    spans->cached_bytes += span->size;
    spans->used_peak -= (spans->used_peak - spans_used(spans)) / SPAN_FADE_SHARE;
}

void span_cache_take(struct spans *spans, struct span *span, enum span_kind kind)
{
    struct span_links links = span->indexed[0];
    span_set_kind(spans, span, kind);
    if (links.next)
        links.next->indexed[0].prev = links.prev;
    if (links.prev)
        links.prev->indexed[0].next = links.next;
    else
        spans->cached = links.next;
    spans->cached_count--;
    spans->cached_bytes -= span->size;
    note_used(spans);
}

bool span_cache_unmap(struct spans *spans, struct span *span)
{
    span_cache_take(spans, span, SPAN_ORDINARY);
    if (span_unmap(spans, span))
        return true;
    span_cache_put(spans, span);
    return false;
}

static struct span *oldest_cached(const struct spans *spans)
{
    struct span *span = spans->cached;
    while (span && span->indexed[0].next)
        span = span->indexed[0].next;
    return span;
}

/* Returns `bytes` of a cached span to the system, or all of it where too little would be left.
   False if the system refused. */
static bool cached_return(struct spans *spans, struct span *span, size_t bytes)
{
    size_t size = span->size;
    if (size < bytes + SPAN_MIN)
        return span_cache_unmap(spans, span);
    span_trim(spans, span, size - bytes - SPAN_TAIL);
    spans->cached_bytes -= size - span->size;
    span_fill(span);
    return span->size < size;
}

/* Returns cached spans before `bytes` more are mapped, so that the heap grows beyond what it once
   was by no more than spares (SPAN_SPARE_SHARE). */
static void make_way(struct spans *spans, size_t bytes)
{
    size_t spare = greater(limit_learnt(spans), spans_used(spans) / SPAN_SPARE_SHARE);
    while (BUILD_CUTS_CACHED && spans->cached_bytes > spare &&
           spans->mapped + bytes > spans->used_peak) {
        size_t more = lesser(spans->cached_bytes - spare, spans->mapped + bytes - spans->used_peak);
        if (!cached_return(spans, oldest_cached(spans), more))
            return;
    }
}

/* What the limit would have had to be to keep a span of `size` bytes, beside those that are cached
   where more than one is; but no more than would keep a few like that. */
static size_t missed_by(const struct spans *spans, size_t size)
{
    size_t others = BUILD_SPANS_CACHED > 1 ? spans->cached_bytes : 0;
    return lesser(lesser(others, limit_learnt(spans)) + size, limit_most(size));
}

bool span_cache_evict(struct spans *spans, size_t size)
{
    struct span *oldest = oldest_cached(spans);
    size_t limit = limit_beside(spans, spans->dedicated);
    size_t all = spans->cached_bytes + size;
    if (BUILD_SPANS_CACHED > 1)
        note_returned(spans, oldest->size, missed_by(spans, size));
    return cached_return(spans, oldest,
                         BUILD_CUTS_CACHED && all > limit ? all - limit : oldest->size);
}

void span_cache_return_excess(struct spans *spans)
{
    size_t limit = limit_beside(spans, spans->dedicated);
    while (BUILD_CUTS_CACHED && spans->cached_bytes > limit)
        if (!cached_return(spans, oldest_cached(spans), spans->cached_bytes - limit))
            return;
}

/* A span that was just mapped for a request of `size` bytes, or NULL. */
static struct span *mapped(struct spans *spans, struct span *span, size_t size)
{
    if (!span)
        return NULL;
    learn_asked(spans, size);
    note_used(spans);
    return span;
}

struct span *span_cache_map(struct spans *spans, size_t size)
{
    make_way(spans, size);
    return mapped(spans, span_map(spans, size), size);
}

struct span *span_cache_map_aligned(struct spans *spans, size_t align, size_t gross,
                                    struct block **block)
{
    size_t size = span_size_for(gross) + os_page_size();
    make_way(spans, size);
    return mapped(spans, span_map_aligned(spans, align, gross, block), size);
}

struct span *span_cache_remap(struct spans *spans, struct span *span, size_t size, size_t asked)
{
    if (size > span->size) {
        learn_asked(spans, asked);
        make_way(spans, size - span->size);
    }
    struct span *moved = span_remap(spans, span, size);
    note_used(spans);
    return moved;
}

struct span *span_cache_map_huge(struct spans *spans)
{
    make_way(spans, OS_HUGE_PAGE);
    return mapped(spans, prefault_map_huge(spans), OS_HUGE_PAGE);
}

bool span_cache_wants(struct spans *spans, const struct span *span)
{
    size_t own = span->kind == SPAN_DEDICATED ? span->size : 0;
    size_t limit = limit_beside(spans, spans->dedicated - own);
    if (span->size > limit && (span->kind != SPAN_SHARED || limit < SPAN_CACHE_FIRST)) {
        note_returned(spans, span->size, missed_by(spans, span->size));
        return false;
    }
    /* Of two empty spans the larger serves more requests. */
    return BUILD_SPANS_CACHED > 1 || !spans->cached || spans->cached->size < span->size;
}

bool span_cache_is_full(const struct spans *spans, size_t size)
{
    return spans->cached && (spans->cached_count == BUILD_SPANS_CACHED ||
                             spans->cached_bytes + size > limit_beside(spans, spans->dedicated));
}

static bool spans_touch(const struct span *lower, const struct span *upper)
{
    return (const char *)lower + lower->size == (const char *)upper;
}

static struct span *cached_neighbour(const struct spans *spans, const struct span *span)
{
    struct span *cached = spans->cached;
    while (cached && !spans_touch(cached, span) && !spans_touch(span, cached))
        cached = cached->indexed[0].next;
    return cached;
}

struct span *span_cache_merge(struct spans *spans, struct span *span)
{
    struct span *cached;
    while ((cached = cached_neighbour(spans, span)) != NULL) {
        struct span *lower = cached < span ? cached : span;
        struct span *upper = cached < span ? span : cached;
        span_cache_take(spans, cached, SPAN_ORDINARY);
        span_unlink(spans, lower);
        span_unlink(spans, upper);
        if (lower->touched >= lower->size)
            lower->touched = lower->size + upper->touched;
        lower->size += upper->size;
        span_link(spans, lower);
        span_fill(lower);
        span = lower;
    }
    return span;
}

void span_cache_keep(struct spans *spans, struct span *span)
{
    if (span->kind == SPAN_DEDICATED)
        span_set_kind(spans, span, SPAN_ORDINARY); /* counts for the limit no longer */
    while (span_cache_is_full(spans, span->size) && span_cache_evict(spans, span->size))
        continue;
    span_cache_put(spans, BUILD_CUTS_CACHED ? span_cache_merge(spans, span) : span);
}
