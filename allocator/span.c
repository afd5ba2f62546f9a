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
    size_t size = round_to_pages(SPAN_HEADER + gross);
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
    if (spans->returned <= SPAN_KEEP_LAST && spans->returned > spans->keep_max)
        spans->keep_max = spans->returned;
    spans->returned = 0;
}

struct span *span_map(struct spans *spans, size_t size)
{
    assert(size >= SPAN_MIN && size == round_to_pages(size));
    struct span *span = os_map(size); /* zeroed: no bins, no blocks */
    if (!span)
        return NULL;
    span->size = size;
    span->filed_bin = -1;
    if (size > SPAN_KEEP_FIRST)
        keep_max_learn(spans, size);
    span_link(spans, span);
    return span;
}

void span_fill(struct span *span)
{
    struct block *block = span_first_block(span);
    block_make_free(block, span, span->size - SPAN_HEADER, true);
    bins_put(&span->bins, block);
}

bool span_is_worth_keeping(struct spans *spans, const struct span *span)
{
    if (span->size > SPAN_KEEP_FIRST && span->size > spans->keep_max) {
        spans->returned = span->size;
        return false;
    }
    /* Of two empty spans the larger serves more requests. */
    return !spans->cached || spans->cached->size < span->size;
}

bool span_unmap(struct spans *spans, struct span *span)
{
    size_t size = span->size;
    bool cached = spans->cached == span;
    span_unlink(spans, span);
    if (!os_unmap(span, size)) {
        span_link(spans, span);
        return false;
    }
    if (cached)
        spans->cached = NULL;
    return true;
}

struct span *span_remap(struct spans *spans, struct span *span, size_t size)
{
    span_unlink(spans, span);
    struct span *moved = os_remap(span, span->size, size);
    if (moved)
        moved->size = size;
    span_link(spans, moved ? moved : span);
    return moved;
}

void span_trim(struct spans *spans, struct span *span, size_t used)
{
    size_t size = round_to_pages(used);
    if (size < SPAN_MIN)
        size = SPAN_MIN;
    if (size >= span->size || !os_unmap((char *)span + size, span->size - size))
        return;
    spans->mapped -= span->size - size;
    span->size = size;
}
