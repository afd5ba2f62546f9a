/*
 * The recount: see check.h. Nothing here changes the heap, or trusts it further than it must:
 * lists are followed only as long as they are linked back, which no cycle is, and only to what can
 * be a member. What is wrong with the list of spans itself ends the check.
 */
#include "check.h"
#include "check_inner.h"
#include "os.h"

static bool is_whole_pages(uintptr_t number)
{
    return number % os_page_size() == 0;
}

/* Whether the span can be looked into, as far as it can be told from outside. */
static bool check_span_shape(struct check *check, const struct span *span, const struct span *prev)
{
    return expect(check, is_whole_pages((uintptr_t)span), span, "span does not begin a page") &&
           expect(check, span->prev == prev, span, "list of spans is not linked back") &&
           expect(check, span->size >= SPAN_MIN && is_whole_pages(span->size), span,
                  "size of a span is impossible");
}

static void check_disjoint(struct check *check, struct span *span)
{
    for (struct span *other = check->heap->spans.first; other != span; other = other->next)
        expect(check,
               (uintptr_t)span + span->size <= (uintptr_t)other ||
                   (uintptr_t)other + other->size <= (uintptr_t)span,
               span, "spans overlap");
}

static void check_list_of_spans(struct check *check)
{
    const struct spans *spans = &check->heap->spans;
    const struct span *prev = NULL;
    size_t count = 0;
    size_t mapped = 0;
    for (struct span *span = spans->first; span; prev = span, span = span->next) {
        if (!check_span_shape(check, span, prev))
            return;
        check_disjoint(check, span);
        count++;
        mapped += span->size;
    }
    expect(check, count == spans->count, check->heap, "count of spans is wrong");
    expect(check, mapped == spans->mapped, check->heap, "mapped bytes are wrong");
}

/* Blocks in the bin, as far as it can be followed. */
static size_t check_bin(struct check *check, struct span *span, unsigned bin)
{
    size_t count = 0;
    const struct block *prev = NULL;
    struct block *block = span->bins.first[bin];
    for (; block; prev = block, block = block->next, count++) {
        if (!check_linked_block(check, span, block) ||
            !expect(check, block->prev == prev, block, "bin is not linked back"))
            break;
        expect(check, block_is_free(block), block, "used block is in a bin");
        expect(check, bin_of(block_size(block)) == bin, block, "block is in a wrong bin");
    }
    return count;
}

/* Blocks in all bins. */
static size_t check_bins(struct check *check, struct span *span)
{
    size_t count = 0;
    for (unsigned bin = 0; bin < BINS; bin++) {
        bool marked = span->bins.map >> bin & 1;
        expect(check, marked == (span->bins.first[bin] != NULL), span, "bitmap of bins lies");
        count += check_bin(check, span, bin);
    }
    expect(check, span->bins.map >> (BINS - 1) <= 1, span, "bitmap of bins lies");
    return count;
}

/* Only in bins that were found to be sound. */
static bool bin_holds(const struct bins *bins, const struct block *wanted)
{
    const struct block *block = bins->first[bin_of(block_size(wanted))];
    while (block && block != wanted)
        block = block->next;
    return block == wanted;
}

/* What a walk over the blocks of a span counts. */
struct recount {
    size_t used;
    size_t free;
};

static void check_free_block(struct check *check, struct block *block)
{
    expect(check, *block_footer(block) == block_size(block), block, "footer and tag differ");
    expect(check, block_magic(block) == BLOCK_MAGIC_FREE, block, "free block without its magic");
    expect(check, !block_prev_is_free(block), block, "two free blocks touch");
}

/* Whether blocks tile the span; their numbers. */
static bool check_tiles(struct check *check, struct span *span, struct recount *count)
{
    bool prev_used = true;
    for (struct block *block = span_first_block(span); block != span_end(span);
         block = block_after(block)) {
        if (!check_block_shape(check, span, block))
            return false;
        check_contents(check, block);
        expect(check, block_prev_is_free(block) == !prev_used, block,
               "flag of the previous block lies");
        prev_used = !block_is_free(block);
        if (prev_used)
            expect(check, block_magic_is_used(block_magic(block)), block,
                   "used block without its magic");
        else
            check_free_block(check, block);
        count->used += prev_used;
        count->free += !prev_used;
    }
    return true;
}

/* Only in a span that blocks tile, and whose bins are sound. */
static void check_free_are_binned(struct check *check, struct span *span)
{
    for (struct block *block = span_first_block(span); block != span_end(span);
         block = block_after(block))
        if (block_is_free(block))
            expect(check, bin_holds(&span->bins, block), block, "free block is not in its bin");
}

static void check_blocks(struct check *check, struct span *span)
{
    struct recount count = {0, 0};
    unsigned faults = check->faults;
    size_t binned = check_bins(check, span);
    if (!check_tiles(check, span, &count))
        return;
    if (check->faults == faults)
        check_free_are_binned(check, span);
    expect(check, binned == count.free, span, "bins hold other blocks than the span");
    expect(check, count.used == span->blkcount, span, "blkcount is not the number of used blocks");
    check_deferred_tiles(check, span);
}

static void check_span(struct check *check, struct span *span)
{
    expect(check, span->heap == check->heap, span, "span is another heap's");
    expect(check, (span->blkcount == 0) == (span->kind == SPAN_CACHED), span,
           "empty spans and the cached ones differ");
    expect(check, span->kind != SPAN_DEDICATED || span->blkcount == 1, span,
           "dedicated span has not one used block");
    check_shared_span(check, span);
    check_deferred_blocks(check, span);
    check_blocks(check, span);
    expect(check, span->indexed_map == heap_index_map(span), span,
           "span is indexed by a wrong bin");
}

/* Spans indexed by the bin, as far as the list can be followed. */
static size_t check_index_of(struct check *check, unsigned bin)
{
    size_t count = 0;
    const struct span *prev = NULL;
    const struct span *span = check->heap->index[bin];
    for (; span; prev = span, span = span->indexed[span_index_of(bin)].next, count++)
        if (!expect(check, check_is_listed(check, span), check->heap,
                    "indexed span is not the heap's") ||
            !expect(check, span->indexed_map >> bin & 1, span, "span is not where it is indexed") ||
            !expect(check, span->indexed[span_index_of(bin)].prev == prev, span,
                    "indexed spans are not linked back"))
            break;
    return count;
}

static void check_index(struct check *check)
{
    const struct heap *heap = check->heap;
    size_t indexed = 0;
    size_t wanted = 0;
    for (unsigned bin = 0; bin < BINS; bin++) {
        bool marked = heap->indexed_map >> bin & 1;
        expect(check, marked == (heap->index[bin] != NULL), heap, "bitmap of indexed spans lies");
        indexed += check_index_of(check, bin);
    }
    expect(check, heap->indexed_map >> (BINS - 1) <= 1, heap, "bitmap of indexed spans lies");
    for (const struct span *span = heap->spans.first; span; span = span->next)
        wanted += (size_t)__builtin_popcountl(span->indexed_map);
    expect(check, indexed == wanted, heap, "span is not where it is indexed");
}

static void check_taken(struct check *check)
{
    size_t taken = 0;
    for (const struct span *span = check->heap->spans.first; span; span = span->next)
        taken += span->blkcount - span_deferred(span);
    expect(check, taken == check->heap->taken, check->heap, "count of taken blocks is wrong");
}

static void check_cached(struct check *check)
{
    const struct spans *spans = &check->heap->spans;
    size_t count = 0;
    size_t bytes = 0;
    size_t wanted = 0;
    const struct span *prev = NULL;
    for (const struct span *span = spans->cached; span;
         prev = span, span = span->indexed[0].next, count++) {
        if (!expect(check, check_is_listed(check, span), check->heap,
                    "cached span is not the heap's") ||
            !expect(check, span->kind == SPAN_CACHED, span,
                    "span is cached and does not know it") ||
            !expect(check, span->indexed[0].prev == prev, span, "cached spans are not linked back"))
            return;
        bytes += span->size;
    }
    for (const struct span *span = spans->first; span; span = span->next)
        wanted += span->kind == SPAN_CACHED;
    expect(check, count == wanted, check->heap, "cached span is not listed");
    expect(check, count == spans->cached_count, check->heap, "count of cached spans is wrong");
    expect(check, bytes == spans->cached_bytes, check->heap, "bytes of cached spans are wrong");
    expect(check, count <= BUILD_SPANS_CACHED || spans->refusals, check->heap,
           "more empty spans are cached than should be");
}

static struct check check_begin(const struct heap *heap, char report[CHECK_REPORT_MAX])
{
    struct check check = {heap, report, 0};
    if (report)
        report[0] = '\0';
    check_list_of_spans(&check);
    return check;
}

unsigned heap_check(const struct heap *heap, char report[CHECK_REPORT_MAX])
{
    struct check check = check_begin(heap, report);
    if (check.faults)
        return check.faults;
    for (struct span *span = heap->spans.first; span; span = span->next)
        check_span(&check, span);
    check_taken(&check);
    check_cached(&check);
    check_index(&check);
    check_deferred_spans(&check);
    return check.faults;
}

unsigned heap_check_blocks(const struct heap *heap, char report[CHECK_REPORT_MAX])
{
    struct check check = check_begin(heap, report);
    struct recount ignored = {0, 0};
    if (check.faults)
        return check.faults;
    for (struct span *span = heap->spans.first; span; span = span->next)
        check_tiles(&check, span, &ignored);
    return check.faults;
}
