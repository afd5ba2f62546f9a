/* How cached spans are made to fit a request: found, cut, merged, enlarged. See span_cache.h. */
#include "span_cache.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void span_cache_split(struct spans *spans, struct span *span, size_t size)
{
    assert(span->size >= size + SPAN_MIN && "both parts are spans");
    struct span *rest = (struct span *)((char *)span + size);
    memset(rest, 0, sizeof *rest); /* blocks may have been there */
    rest->heap = span->heap;
    rest->size = span->size - size;
    if (span->touched > size) {
        rest->touched = span->touched - size;
        span->touched = size;
    }
    span_unlink(spans, span);
    span->size = size;
    span_link(spans, span);
    span_fill(span);
    span_link(spans, rest);
    span_fill(rest);
    span_cache_put(spans, rest);
}

struct block *span_cache_find(const struct spans *spans, size_t gross)
{
    struct block *best = NULL;
    for (struct span *span = spans->cached; span; span = span->indexed[0].next) {
        struct block *block = span_first_block(span);
        size_t size = block_size(block);
        /* Blocks are cut from the end, which must be in reach of the span's start. */
        bool serves = size >= gross && size - gross <= BLOCK_DISTANCE_MAX - SPAN_HEADER;
        if (serves && (!best || size < block_size(best)))
            best = block;
    }
    return best;
}

void span_cache_use(struct spans *spans, struct span *span, size_t size)
{
    span_cache_take(spans, span, SPAN_ORDINARY);
    if (span->size / 2 <= size)
        return;
    span_unbin(span, span_first_block(span));
    if (BUILD_CUTS_CACHED) {
        span_cache_split(spans, span, size);
        return;
    }
    span_trim(spans, span, size);
    span_fill(span);
}

/* The largest cached span that is smaller than `size` bytes, but no less than half of them. */
static struct span *find_stretchable(const struct spans *spans, size_t size)
{
    struct span *best = NULL;
    for (struct span *span = spans->cached; span; span = span->indexed[0].next)
        if (span->size < size && span->size >= size / 2 && (!best || span->size > best->size))
            best = span;
    return best;
}

struct block *span_cache_stretch(struct spans *spans, size_t size, enum span_kind kind)
{
    struct span *span = find_stretchable(spans, size);
    if (!span)
        return NULL;
    int saved_errno = errno;
    span_cache_take(spans, span, kind);
    struct span *stretched = span_cache_remap(spans, span, size, size - span->size);
    if (!stretched) {
        errno = saved_errno;
        span_cache_put(spans, span);
        return NULL;
    }
    span_fill(stretched);
    return span_first_block(stretched);
}

/* Where spans are not cut, a cached one waits for the next block of its size: a smaller one would
   have it mapped again. */
struct block *span_cache_dedicate(struct spans *spans, size_t gross)
{
    struct block *block = span_cache_find(spans, gross);
    if (!block)
        return span_cache_stretch(spans, span_size_for(gross), SPAN_DEDICATED);
    if (!BUILD_CUTS_CACHED && block_size(block) / 2 > gross)
        return NULL;
    struct span *span = block_owner(block);
    size_t size = span_size_for(gross);
    span_cache_take(spans, span, SPAN_DEDICATED);
    if (BUILD_CUTS_CACHED && span->size >= size + SPAN_CUT_LEAST) {
        span_unbin(span, block);
        span_cache_split(spans, span, size);
    }
    return block;
}
