/*
 * Empty spans that are kept: how many, which of them go back, and how they are cut and merged.
 * Which of them serves a request is heap_kept.c's to decide.
 */
#include "span_parts.h"

#include <assert.h>
#include <string.h>

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes that are kept whatever is live: what was learnt from spans that were returned too early. */
static size_t keep_max(const struct spans *spans)
{
    return greater(spans->keep_max, SPAN_KEEP_FIRST);
}

/* Bytes that are kept while there are `dedicated` bytes of such spans. */
static size_t keep_limit(const struct spans *spans, size_t dedicated)
{
    return BUILD_CUTS_KEPT ? greater(keep_max(spans), SPAN_KEEP_TIMES * dedicated)
                           : keep_max(spans);
}

static size_t spans_used(const struct spans *spans)
{
    return spans->mapped - spans->kept_bytes;
}

void spans_note_used(struct spans *spans)
{
    spans->used_peak = greater(spans->used_peak, spans_used(spans));
}

static void note_returned(struct spans *spans, size_t size, size_t missed)
{
    spans->returned = size;
    spans->missed = missed;
}

void spans_learn_asked(struct spans *spans, size_t size)
{
    if (size > spans->returned)
        return;
    if (spans->missed <= SPAN_KEEP_LAST && spans->missed > spans->keep_max)
        spans->keep_max = spans->missed;
    spans->returned = 0;
}

bool span_is_worth_keeping(struct spans *spans, const struct span *span)
{
    size_t own = span->kind == SPAN_DEDICATED ? span->size : 0;
    if (span->size > keep_limit(spans, spans->dedicated - own) && span->kind != SPAN_SHARED) {
        note_returned(spans, span->size, span->size);
        return false;
    }
    /* Of two empty spans the larger serves more requests. */
    return BUILD_SPANS_KEPT > 1 || !spans->kept || spans->kept->size < span->size;
}

bool spans_are_too_many(const struct spans *spans, size_t size)
{
    return spans->kept && (spans->kept_count == BUILD_SPANS_KEPT ||
                           spans->kept_bytes + size > keep_limit(spans, spans->dedicated));
}

void span_keep(struct spans *spans, struct span *span)
{
    assert(span->filed_map == 0 && "its links are free");
    span_set_kind(spans, span, SPAN_KEPT);
    span->filed[0].prev = NULL;
    span->filed[0].next = spans->kept;
    if (spans->kept)
        spans->kept->filed[0].prev = span;
    spans->kept = span;
    spans->kept_count++;
    spans->kept_bytes += span->size;
    spans->used_peak -= (spans->used_peak - spans_used(spans)) / SPAN_FADE_SHARE;
}

void span_unkeep(struct spans *spans, struct span *span, enum span_kind kind)
{
    span_set_kind(spans, span, kind);
    if (span->filed[0].next)
        span->filed[0].next->filed[0].prev = span->filed[0].prev;
    if (span->filed[0].prev)
        span->filed[0].prev->filed[0].next = span->filed[0].next;
    else
        spans->kept = span->filed[0].next;
    spans->kept_count--;
    spans->kept_bytes -= span->size;
    spans_note_used(spans);
}

void span_split(struct spans *spans, struct span *span, size_t size)
{
    assert(span->size >= size + SPAN_MIN && "both parts are spans");
    struct span *rest = (struct span *)((char *)span + size);
    memset(rest, 0, sizeof *rest); /* blocks may have been there */
    rest->heap = span->heap;
    rest->size = span->size - size;
    span_unlink(spans, span);
    span->size = size;
    span_link(spans, span);
    span_refill(span);
    span_link(spans, rest);
    span_fill(rest);
    span_keep(spans, rest);
}

static bool spans_touch(const struct span *lower, const struct span *upper)
{
    return (const char *)lower + lower->size == (const char *)upper;
}

static struct span *kept_neighbour(const struct spans *spans, const struct span *span)
{
    struct span *kept = spans->kept;
    while (kept && !spans_touch(kept, span) && !spans_touch(span, kept))
        kept = kept->filed[0].next;
    return kept;
}

struct span *span_merge_kept(struct spans *spans, struct span *span)
{
    struct span *kept;
    while ((kept = kept_neighbour(spans, span)) != NULL) {
        struct span *lower = kept < span ? kept : span;
        struct span *upper = kept < span ? span : kept;
        span_unkeep(spans, kept, SPAN_ORDINARY);
        span_unlink(spans, lower);
        span_unlink(spans, upper);
        lower->size += upper->size;
        span_link(spans, lower);
        span_refill(lower);
        span = lower;
    }
    return span;
}

static struct span *spans_oldest_kept(const struct spans *spans)
{
    struct span *span = spans->kept;
    while (span && span->filed[0].next)
        span = span->filed[0].next;
    return span;
}

/* Returns `bytes` of a kept span to the system, or all of it where too little would be left. False
   if the system refused. */
static bool kept_return(struct spans *spans, struct span *span, size_t bytes)
{
    size_t size = span->size;
    if (size < bytes + SPAN_MIN)
        return span_unmap(spans, span);
    span_trim(spans, span, size - bytes - SPAN_TAIL);
    spans->kept_bytes -= size - span->size;
    span_refill(span);
    return span->size < size;
}

void spans_make_way(struct spans *spans, size_t bytes)
{
    size_t spare = greater(keep_max(spans), spans_used(spans) / SPAN_SPARE_SHARE);
    while (BUILD_CUTS_KEPT && spans->kept_bytes > spare &&
           spans->mapped + bytes > spans->used_peak) {
        size_t more = lesser(spans->kept_bytes - spare, spans->mapped + bytes - spans->used_peak);
        if (!kept_return(spans, spans_oldest_kept(spans), more))
            return;
    }
}

/* What the limit would have had to be to keep what had to go for a span of `size` bytes, but no
   more than would keep a few like that. */
static size_t missed_by(const struct spans *spans, size_t size)
{
    size_t all = lesser(spans->kept_bytes, keep_max(spans)) + size;
    return lesser(all, SPAN_KEEP_FEW * size);
}

bool spans_evict(struct spans *spans, size_t size)
{
    struct span *oldest = spans_oldest_kept(spans);
    size_t limit = keep_limit(spans, spans->dedicated);
    size_t all = spans->kept_bytes + size;
    if (BUILD_SPANS_KEPT > 1)
        note_returned(spans, oldest->size, missed_by(spans, size));
    return kept_return(spans, oldest, BUILD_CUTS_KEPT && all > limit ? all - limit : oldest->size);
}

void spans_return_excess(struct spans *spans)
{
    size_t limit = keep_limit(spans, spans->dedicated);
    while (BUILD_CUTS_KEPT && spans->kept_bytes > limit)
        if (!kept_return(spans, spans_oldest_kept(spans), spans->kept_bytes - limit))
            return;
}
