/* Allocating many blocks of one size at a time: what a thread cache is refilled with. */
#include "deferred.h"
#include "prefault.h"

#include <assert.h>

/*
 * Takes up to `count` blocks of `gross` bytes, one behind the other, from the front of a free
 * block: their number. A program that is given run after run goes up in the address space then,
 * which is how memory is walked through fastest.
 */
static size_t heap_carve_run(struct heap *heap, struct block *block, size_t gross, void **payloads,
                             size_t count)
{
    struct span *span = heap_owner_checked(heap, block);
    size_t size = block_size(block);
    size_t fit = size / gross;
    if (count > fit)
        count = fit;
    size_t rest = block_rest(size, count * gross);
    prefault(span, block, size - rest, rest);
    span_unbin(span, block);
    struct block *carved = block;
    /* The lowest is taken first: the caller takes them from the end of the array. */
    for (size_t i = count; i-- > 1; carved = block_at(carved, gross)) {
        block_make_used(carved, span, gross, true);
        payloads[i] = block_payload(carved);
    }
    block_make_used(carved, span, size - rest - (count - 1) * gross, true);
    payloads[0] = block_payload(carved);
    if (rest)
        span_bin(span, block_after(carved), rest);
    else
        span_tell(span, block_at(block, size), true);
    span->blkcount += count;
    heap_index(heap, span);
    return count;
}

size_t heap_allocate_run(struct heap *heap, size_t gross, void **payloads, size_t count)
{
    assert(gross <= BIN_LARGE && count > 0);
    size_t taken = 0;
    heap->spans.caller = IN_MALLOC;
    while (taken < count) {
        struct block *block = heap_search(heap, gross);
        if (!block && taken == 0)
            block = heap_grow(heap, gross);
        if (!block)
            break;
        taken += heap_carve_run(heap, block, gross, payloads + taken, count - taken);
    }
    heap->taken += taken;
    if (heap->taken > heap->taken_peak)
        heap->taken_peak = heap->taken;
    return taken;
}
