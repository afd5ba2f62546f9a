/* Deferred blocks: see check.h. */
#include "check_inner.h"

/* This list is linked one way only: the count ends it. */
void check_deferred_blocks(struct check *check, struct span *span)
{
    size_t count = 0;
    for (struct block *block = span->deferred; block && count <= span->deferred_count;
         block = block->next, count++) {
        if (!check_linked_block(check, span, block))
            return;
        expect(check, block_magic(block) == BLOCK_MAGIC_DEFERRED && !block_is_free(block), block,
               "deferred block without its mark");
    }
    expect(check, count == span->deferred_count, span, "count of deferred blocks is wrong");
    expect(check, count == 0 || count < span->blkcount, span, "all blocks of a span are deferred");
}

void check_deferred_tiles(struct check *check, struct span *span)
{
    size_t count = 0;
    for (struct block *block = span_first_block(span); block != span_end(span);
         block = block_after(block))
        count += !block_is_free(block) && block_magic(block) == BLOCK_MAGIC_DEFERRED;
    expect(check, count == span->deferred_count, span, "count of deferred blocks is wrong");
}

void check_deferred_spans(struct check *check)
{
    size_t count = 0;
    size_t wanted = 0;
    const struct span *prev = NULL;
    for (const struct span *span = check->heap->deferred; span;
         prev = span, span = span->deferred_next, count++)
        if (!expect(check, check_is_listed(check, span), check->heap,
                    "deferred span is not the heap's") ||
            !expect(check, span->deferred != NULL, span,
                    "span without deferred blocks is listed") ||
            !expect(check, span->deferred_prev == prev, span, "deferred spans are not linked back"))
            return;
    for (const struct span *span = check->heap->spans.first; span; span = span->next)
        wanted += span->deferred != NULL;
    expect(check, count == wanted, check->heap, "span with deferred blocks is not listed");
}
