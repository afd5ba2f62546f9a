/* The recount: see check.h. Nothing here changes the heap, or trusts it further than it must. */
#include "check.h"

#include <stdio.h>

struct check {
    const struct heap *heap;
    char *report;
    unsigned faults;
};

static void fault(struct check *check, const void *where, const char *what)
{
    if (check->faults++ == 0 && check->report)
        snprintf(check->report, CHECK_REPORT_MAX, "%p: %s", where, what);
}

static void expect(struct check *check, bool holds, const void *where, const char *what)
{
    if (!holds)
        fault(check, where, what);
}

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

static void check_free_block(struct check *check, struct span *span, struct block *block)
{
    expect(check, *block_footer(block) == block_size(block), block, "footer and tag differ");
    expect(check, block_magic(block) == BLOCK_MAGIC_FREE, block, "free block without its magic");
    expect(check, !block_prev_is_free(block), block, "two free blocks touch");
    expect(check, bin_holds(&span->bins, block), block, "free block is not in its bin");
}

/* false: the walk over the span cannot go on. */
static bool check_block(struct check *check, struct span *span, struct block *block, bool prev_used,
                        struct recount *count)
{
    size_t room = (size_t)((char *)span_end(span) - (char *)block);
    size_t size = block_size(block);
    if (size < BLOCK_MIN || size > room) {
        fault(check, block, "size is impossible");
        return false;
    }
    expect(check, block_owner(block) == span, block, "owner is another span");
    expect(check, block_prev_is_free(block) == !prev_used, block,
           "flag of the previous block lies");
    if (block_is_free(block)) {
        count->free++;
        check_free_block(check, span, block);
    } else {
        count->used++;
        expect(check, block_magic(block) == BLOCK_MAGIC_USED, block,
               "used block without its magic");
    }
    return true;
}

static void check_bins(struct check *check, struct span *span, size_t free_blocks)
{
    size_t listed = 0;
    for (unsigned bin = 0; bin < BINS; bin++) {
        const struct block *prev = NULL;
        const struct block *block = span->bins.first[bin];
        bool marked = span->bins.map >> bin & 1;
        expect(check, marked == (block != NULL), span, "bitmap of bins lies");
        for (; block && listed <= free_blocks; prev = block, block = block->next) {
            listed++;
            expect(check, block->prev == prev, block, "bin is not linked back");
            expect(check, bin_of(block_size(block)) == bin, block, "block is in a wrong bin");
        }
    }
    expect(check, listed == free_blocks, span, "bins hold other blocks than the span");
}

static void check_filing(struct check *check, const struct span *span)
{
    int bin = heap_filing_bin(check->heap, span);
    expect(check, span->filed_bin == bin, span, "span is filed under a wrong bin");
    if (span->filed_bin < 0 || span->filed_bin >= BINS)
        return;
    const struct span *filed = check->heap->filed[span->filed_bin];
    size_t steps = 0;
    while (filed && filed != span && steps++ < check->heap->spans.count)
        filed = filed->filed_next;
    expect(check, filed == span, span, "span is not where it is filed");
}

static void check_span(struct check *check, struct span *span)
{
    struct recount count = {0, 0};
    bool prev_used = true;
    struct block *block = span_first_block(span);
    while (block < span_end(span)) {
        if (!check_block(check, span, block, prev_used, &count))
            return;
        prev_used = !block_is_free(block);
        block = block_after(block);
    }
    expect(check, count.used == span->blkcount, span, "blkcount is not the number of used blocks");
    bool cached = check->heap->spans.cached == span;
    expect(check, (span->blkcount == 0) == cached, span, "empty spans and the cached one differ");
    check_bins(check, span, count.free);
    check_filing(check, span);
}

static void check_disjoint(struct check *check, struct span *span)
{
    for (struct span *other = span->next; other; other = other->next)
        expect(check,
               span_end(span) <= (struct block *)other || span_end(other) <= (struct block *)span,
               span, "spans overlap");
}

static void check_filed_map(struct check *check)
{
    for (unsigned bin = 0; bin < BINS; bin++) {
        bool marked = check->heap->filed_map >> bin & 1;
        expect(check, marked == (check->heap->filed[bin] != NULL), check->heap,
               "bitmap of filed spans lies");
    }
}

unsigned heap_check(const struct heap *heap, char report[CHECK_REPORT_MAX])
{
    struct check check = {heap, report, 0};
    struct span *prev = NULL;
    size_t count = 0;
    size_t mapped = 0;
    if (report)
        report[0] = '\0';
    for (struct span *span = heap->spans.first; span; prev = span, span = span->next) {
        count++;
        mapped += span->size;
        expect(&check, span->prev == prev, span, "list of spans is not linked back");
        check_disjoint(&check, span);
        check_span(&check, span);
    }
    expect(&check, count == heap->spans.count, heap, "count of spans is wrong");
    expect(&check, mapped == heap->spans.mapped, heap, "mapped bytes are wrong");
    check_filed_map(&check);
    return check.faults;
}
