/* Mapping, linking and returning spans: see span.h. */
#include "span.h"
#include "os.h"

#include <assert.h>

static size_t round_to_pages(size_t bytes)
{
    size_t mask = os_page_size() - 1;
    return (bytes + mask) & ~mask;
}

size_t span_size_for(size_t gross)
{
    size_t size = round_to_pages(SPAN_HEADER + gross + SPAN_TAIL);
    return size < SPAN_MIN ? SPAN_MIN : size;
}

static void span_link(struct spans *spans, struct span *span)
{
    span->prev = NULL;
    span->next = spans->first;
    if (span->next)
        span->next->prev = span;
    spans->first = span;
    spans->count++;
    spans->mapped += span->size;
}

static void span_unlink(struct spans *spans, struct span *span)
{
    if (span->next)
        span->next->prev = span->prev;
    if (span->prev)
        span->prev->next = span->next;
    else
        spans->first = span->next;
    spans->count--;
    spans->mapped -= span->size;
}

/* Learns from a span of `size` bytes that is asked for. */
static void keep_max_learn(struct spans *spans, size_t size)
{
    if (size > spans->returned)
        return;
    if (spans->missed <= SPAN_KEEP_LAST && spans->missed > spans->keep_max)
        spans->keep_max = spans->missed;
    spans->returned = 0;
}

/* Makes fresh pages a span in the list. */
static struct span *span_begin(struct spans *spans, void *start, size_t size)
{
    struct span *span = start; /* zeroed: no bins, no blocks */
    span->size = size;
    keep_max_learn(spans, size);
    span_link(spans, span);
    return span;
}

struct span *span_map(struct spans *spans, size_t size)
{
    assert(size >= SPAN_MIN && size == round_to_pages(size));
    void *start = os_map(size);
    return start ? span_begin(spans, start, size) : NULL;
}

/* Of the mapping [*start, *end), returns to the system what lies outside of [from, to). What it
   does not take stays part of the mapping. */
static void trim(char **start, char **end, char *from, char *to)
{
    if (from == *start || os_unmap(*start, (size_t)(from - *start)))
        *start = from;
    if (to == *end || os_unmap(to, (size_t)(*end - to)))
        *end = to;
}

static char *round_up(char *p, size_t align)
{
    return p + (-(uintptr_t)p & (align - 1));
}

/* Whether the next span is to be on a huge page. */
static bool huge_is_wanted(struct spans *spans)
{
    if (spans->huge_wait == 0)
        return true;
    spans->huge_wait--;
    return false;
}

/* Learns from the processor time that the first touch of a huge page took. */
static void huge_learn(struct spans *spans, uint64_t took_ns)
{
    if (took_ns <= SPAN_HUGE_SLOW_NS) {
        spans->huge_pause /= 2;
        return;
    }
    spans->huge_pause = 2 * spans->huge_pause + took_ns / SPAN_HUGE_SLOW_NS;
    spans->huge_wait = spans->huge_pause;
}

struct span *span_map_huge(struct spans *spans)
{
    char *start = os_map((size_t)2 * OS_HUGE_PAGE);
    if (!start)
        return NULL;
    char *end = start + (size_t)2 * OS_HUGE_PAGE;
    char *huge = round_up(start, OS_HUGE_PAGE);
    trim(&start, &end, huge, huge + OS_HUGE_PAGE);
    if (!huge_is_wanted(spans))
        return span_begin(spans, start, (size_t)(end - start));
    os_expect_use(huge, OS_HUGE_PAGE);
    uint64_t before_ns = os_spent_ns();
    struct span *span = span_begin(spans, start, (size_t)(end - start)); /* writes there */
    huge_learn(spans, os_spent_ns() - before_ns);
    return span;
}

struct span *span_map_aligned(struct spans *spans, size_t align, size_t gross, struct block **block)
{
    size_t page = os_page_size();
    assert(align >= page && SPAN_HEADER + BLOCK_HEADER + BLOCK_MIN <= page);
    size_t size = page + span_size_for(gross); /* the payload begins with a page */
    char *start = os_map(size + align);
    if (!start)
        return NULL;
    char *end = start + size + align;
    char *p = round_up(start + page, align);
    trim(&start, &end, p - page, p - page + size);
    bool reachable = (size_t)(p - start) <= BLOCK_DISTANCE_MAX;
    *block = reachable ? block_from_payload(p) : NULL;
    return span_begin(spans, start, (size_t)(end - start));
}

void span_fill(struct span *span)
{
    struct block *block = span_first_block(span);
    block_make_free(block, span, span->size - SPAN_HEADER - SPAN_TAIL, true);
    bins_put(&span->bins, block);
}

static size_t keep_max(const struct spans *spans)
{
    return spans->keep_max > SPAN_KEEP_FIRST ? spans->keep_max : SPAN_KEEP_FIRST;
}

static void note_returned(struct spans *spans, size_t size, size_t missed)
{
    spans->returned = size;
    spans->missed = missed;
}

bool span_is_worth_keeping(struct spans *spans, const struct span *span)
{
    if (span->size > keep_max(spans) && span->kind != SPAN_SHARED) {
        note_returned(spans, span->size, span->size);
        return false;
    }
    /* Of two empty spans the larger serves more requests. */
    return BUILD_SPANS_KEPT > 1 || !spans->kept || spans->kept->size < span->size;
}

bool spans_are_too_many(const struct spans *spans, size_t size)
{
    return spans->kept &&
           (spans->kept_count == BUILD_SPANS_KEPT || spans->kept_bytes + size > keep_max(spans));
}

void span_keep(struct spans *spans, struct span *span)
{
    assert(span->filed_map == 0 && "its links are free");
    span->kind = SPAN_KEPT;
    span->filed[0].prev = NULL;
    span->filed[0].next = spans->kept;
    if (spans->kept)
        spans->kept->filed[0].prev = span;
    spans->kept = span;
    spans->kept_count++;
    spans->kept_bytes += span->size;
}

void span_unkeep(struct spans *spans, struct span *span, enum span_kind kind)
{
    span->kind = kind;
    if (span->filed[0].next)
        span->filed[0].next->filed[0].prev = span->filed[0].prev;
    if (span->filed[0].prev)
        span->filed[0].prev->filed[0].next = span->filed[0].next;
    else
        spans->kept = span->filed[0].next;
    spans->kept_count--;
    spans->kept_bytes -= span->size;
}

bool span_unmap(struct spans *spans, struct span *span)
{
    size_t size = span->size;
    bool kept = span->kind == SPAN_KEPT;
    if (kept)
        span_unkeep(spans, span, SPAN_ORDINARY);
    span_unlink(spans, span);
    if (os_unmap(span, size))
        return true;
    span_link(spans, span);
    if (kept)
        span_keep(spans, span);
    spans->refusals++;
    return false;
}

static struct span *spans_oldest_kept(const struct spans *spans)
{
    struct span *span = spans->kept;
    while (span && span->filed[0].next)
        span = span->filed[0].next;
    return span;
}

/* What the limit would have had to be to keep a span of `oldest` bytes beside one of `size`, but no
   more than would keep a few of the larger one. */
static size_t missed_by(const struct spans *spans, size_t oldest, size_t size)
{
    size_t few = SPAN_KEEP_FEW * (oldest > size ? oldest : size);
    size_t all = spans->kept_bytes + size;
    return all < few ? all : few;
}

bool spans_evict(struct spans *spans, size_t size)
{
    struct span *oldest = spans_oldest_kept(spans);
    if (BUILD_SPANS_KEPT > 1)
        note_returned(spans, oldest->size, missed_by(spans, oldest->size, size));
    return span_unmap(spans, oldest);
}

struct span *span_remap(struct spans *spans, struct span *span, size_t size)
{
    if (size > span->size)
        keep_max_learn(spans, size);
    span_unlink(spans, span);
    struct span *moved = os_remap(span, span->size, size);
    if (moved)
        moved->size = size;
    span_link(spans, moved ? moved : span);
    return moved;
}

void span_trim(struct spans *spans, struct span *span, size_t used)
{
    size_t size = round_to_pages(used + SPAN_TAIL);
    if (size < SPAN_MIN)
        size = SPAN_MIN;
    if (size >= span->size || !os_unmap((char *)span + size, span->size - size))
        return;
    spans->mapped -= span->size - size;
    span->size = size;
}
