/* Mapping, linking and returning spans: see span.h. */
#include "span.h"
#include "os.h"

#include <assert.h>
#include <string.h>

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

/* Adds bytes, or subtracts them modulo 2^64, wherever those of the span are counted. */
static void span_count_bytes(struct spans *spans, const struct span *span, size_t bytes)
{
    spans->mapped += bytes;
    if (span->kind == SPAN_DEDICATED)
        spans->dedicated += bytes;
}

void span_set_kind(struct spans *spans, struct span *span, enum span_kind kind)
{
    span_count_bytes(spans, span, -span->size);
    span->kind = kind;
    span_count_bytes(spans, span, span->size);
}

void span_link(struct spans *spans, struct span *span)
{
    span->prev = NULL;
    span->next = spans->first;
    if (span->next)
        span->next->prev = span;
    spans->first = span;
    spans->count++;
    span_count_bytes(spans, span, span->size);
}

void span_unlink(struct spans *spans, struct span *span)
{
    if (span->next)
        span->next->prev = span->prev;
    if (span->prev)
        span->prev->next = span->next;
    else
        spans->first = span->next;
    spans->count--;
    span_count_bytes(spans, span, -span->size);
}

/* Makes fresh pages a span in the list. */
static struct span *span_begin(struct spans *spans, void *start, size_t size)
{
    struct span *span = start; /* zeroed: no bins, no blocks */
    span->size = size;
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

struct span *span_map_huge(struct spans *spans, bool huge)
{
    char *start = os_map((size_t)2 * OS_HUGE_PAGE);
    if (!start)
        return NULL;
    char *end = start + (size_t)2 * OS_HUGE_PAGE;
    char *aligned = round_up(start, OS_HUGE_PAGE);
    trim(&start, &end, aligned, aligned + OS_HUGE_PAGE);
    if (huge)
        os_expect_use(aligned, OS_HUGE_PAGE);
    return span_begin(spans, start, (size_t)(end - start));
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
    memset(&span->bins, 0, sizeof span->bins);
    span_bin(span, block, span->size - SPAN_HEADER - SPAN_TAIL);
}

bool span_unmap(struct spans *spans, struct span *span)
{
    size_t size = span->size;
    span_unlink(spans, span);
    if (os_unmap(span, size))
        return true;
    span_link(spans, span);
    spans->refusals++;
    return false;
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
    size_t size = round_to_pages(used + SPAN_TAIL);
    if (size < SPAN_MIN)
        size = SPAN_MIN;
    if (size >= span->size || !os_unmap((char *)span + size, span->size - size))
        return;
    span_count_bytes(spans, span, size - span->size);
    span->size = size;
}
