/*
 * Growing and allocating: see heap.h for what, here for why. What is rare is kept out of line, so
 * that the usual way through a malloc saves no registers for it.
 */
#include "heap_inner.h"
#include "options.h"
#include "os.h"
#include "prefault.h"
#if SPAN_FAST
#include "deferred.h"
#else
#define heap_search heap_find
#endif

#include <assert.h>
#include <string.h>

/* Bytes of the next ordinary span, if no block needs a larger one. */
static size_t heap_growth(const struct heap *heap)
{
    size_t mapped = heap->spans.mapped;
    if (mapped / HEAP_HUGE_SHARE >= OS_HUGE_PAGE ||
        (options_current().thp == OPTIONS_THP_ALWAYS && mapped >= HEAP_ALWAYS_FROM))
        return OS_HUGE_PAGE;
    size_t size = mapped / HEAP_SPAN_SHARE & ~(size_t)(SPAN_MIN - 1);
    return size < SPAN_MIN ? SPAN_MIN : size;
}

/* A new ordinary span of `size` bytes: its free block; or NULL. */
static struct block *heap_map_ordinary(struct heap *heap, size_t size)
{
    bool huge = size == OS_HUGE_PAGE;
    struct span *span =
        huge ? span_cache_map_huge(&heap->spans) : span_cache_map(&heap->spans, size);
    if (!heap_adopt(heap, span))
        return NULL;
    span_fill(span);
    return span_first_block(span);
}

struct block *heap_grow(struct heap *heap, size_t gross)
{
    size_t least = span_size_for(gross);
    size_t size = heap_growth(heap);
    if (size < least)
        size = least;
    struct block *cached = span_cache_find(&heap->spans, gross);
    if (cached) {
        span_cache_use(&heap->spans, block_owner(cached), size);
        return cached;
    }
    int saved_errno = errno;
    struct block *block = /* a span on a huge page is aligned, which a stretched one is not */
        size == OS_HUGE_PAGE ? NULL : span_cache_stretch(&heap->spans, size, SPAN_ORDINARY);
    if (!block)
        block = heap_map_ordinary(heap, size);
    if (!block && size > least) {
        errno = saved_errno;
        block = heap_map_ordinary(heap, least);
    }
    return block;
}

/* Shortens a free block to `rest` bytes; 0 takes it out of its bin. */
static void block_shorten(struct span *span, struct block *block, size_t rest)
{
    if (rest)
        span_rebin(span, block, rest);
    else
        span_unbin(span, block);
}

struct block *heap_carve(struct heap *heap, struct block *block, size_t gross)
{
    struct span *span = heap_owner_checked(heap, block);
    size_t size = block_size(block);
    size_t rest = block_rest(size, gross);
    struct block *carved = block_at(block, rest);
    if (!BUILD_CUTS_RUNS && gross <= PREFAULT_BLOCK_MAX)
        prefault(span, carved, size - rest, rest);
    block_shorten(span, block, rest);
    block_make_used(carved, span, size - rest, rest == 0);
    span_tell(span, block_at(block, size), true);
    span->blkcount++;
    heap_index(heap, span);
    return carved;
}

/*
 * A used block at the end of a new span of its own. Only the front of the span is written to: the
 * payload stays as the system gave it, zero and not yet there.
 */
static struct block *heap_map_dedicated(struct heap *heap, size_t gross)
{
    struct span *span = heap_adopt(heap, span_cache_map(&heap->spans, span_size_for(gross)));
    if (!span)
        return NULL;
    span_set_kind(&heap->spans, span, SPAN_DEDICATED);
    struct block *block = span_first_block(span);
    size_t room = span->size - SPAN_HEADER - SPAN_TAIL;
    size_t rest = block_rest(room, gross);
    if (rest) {
        span_bin(span, block, rest);
        block = block_at(block, rest);
    }
    block_make_used(block, span, room - rest, rest == 0);
    span->blkcount = 1;
    return block;
}

/* A cached span comes first: it becomes the block's own, and its pages are there already. */
static struct block *heap_take_dedicated(struct heap *heap, size_t gross, bool *fresh)
{
    struct block *block = span_cache_dedicate(&heap->spans, gross);
    if (!block)
        block = heap_search(heap, gross);
    *fresh = !block;
    return block ? heap_carve(heap, block, gross) : heap_map_dedicated(heap, gross);
}

/* A large block in a shared span; NULL if there is none for it. errno is kept. */
static struct block *heap_take_shared(struct heap *heap, size_t gross)
{
    int saved_errno = errno;
    struct block *block = heap_find_shared(heap, gross);
    if (!block)
        block = heap_search(heap, gross);
    if (!block)
        block = heap_map_shared(heap, gross);
    errno = saved_errno;
    return block ? heap_carve(heap, block, gross) : NULL;
}

static __attribute__((noinline)) struct block *heap_take_large(struct heap *heap, size_t gross)
{
    bool fresh;
    struct block *block = NULL;
    if (BUILD_SHARES_LARGE && span_size_for(gross) <= HEAP_SHARED_BYTES / 2)
        block = heap_take_shared(heap, gross);
    return block ? block : heap_take_dedicated(heap, gross, &fresh);
}

static struct block *heap_take_ordinary(struct heap *heap, size_t gross)
{
    struct block *block = heap_search(heap, gross);
    if (!block)
        block = heap_grow(heap, gross);
    return block ? heap_carve(heap, block, gross) : NULL;
}

static struct block *heap_count_taken(struct heap *heap, struct block *block)
{
    heap->taken += block != NULL;
    return block;
}

struct block *heap_take(struct heap *heap, size_t gross)
{
    bool large = gross > BIN_LARGE;
    return heap_count_taken(heap,
                            large ? heap_take_large(heap, gross) : heap_take_ordinary(heap, gross));
}

struct block *heap_take_apart(struct heap *heap, size_t gross, bool *fresh)
{
    if (gross > BIN_LARGE)
        return heap_count_taken(heap, heap_take_dedicated(heap, gross, fresh));
    *fresh = false;
    return heap_count_taken(heap, heap_take_ordinary(heap, gross));
}

void *heap_allocate(struct heap *heap, size_t request)
{
    heap->spans.caller = IN_MALLOC;
    if (!request_fits(request))
        return NULL;
    struct block *block = heap_take(heap, block_gross(request));
    return block ? block_payload(block) : NULL;
}

void *heap_allocate_zeroed(struct heap *heap, size_t request)
{
    bool fresh;
    heap->spans.caller = IN_MALLOC;
    if (!request_fits(request))
        return NULL;
    struct block *block = heap_take_apart(heap, block_gross(request), &fresh);
    if (!block)
        return NULL;
    return fresh ? block_payload(block) : memset(block_payload(block), 0, request);
}
