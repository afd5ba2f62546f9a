/* See quarantine.h. Headers can be overwritten meanwhile, so what they should be is noted. */
#include "quarantine.h"
#include "verified.h"

static struct entry {
    struct block *block;
    size_t gross;
    uint64_t owner; /* with the magic */
} entries[QUARANTINE_BLOCKS];

static unsigned oldest; /* index of the one that leaves first */
static unsigned count;
static size_t held; /* bytes of them */

static void entry_check(const struct heap *heap, const struct entry *entry)
{
    struct block *block = entry->block;
    const void *p = block_payload(block);
    if (block->owner != entry->owner || block_size(block) != entry->gross ||
        verified_unpoisoned(p, entry->gross - BLOCK_HEADER))
        misuse_abort(heap->spans.caller, p, "written to after it was freed");
}

/* What is free in a span that may return to the system with its last block. Large ones are mostly
   pages that nobody touched. */
static void span_look(const struct heap *heap, struct span *span)
{
    for (struct block *block = span_first_block(span);
         block != span_end(span) && block_size(block) >= BLOCK_MIN; block = block_after(block)) {
        size_t bytes = block_payload_size(block);
        const void *written = block_is_free(block) && bytes <= VERIFIED_LOOKED_AT
                                  ? verified_scribble(block_payload(block), bytes)
                                  : NULL;
        if (written)
            misuse_abort(heap->spans.caller, written, "free block was written to");
    }
}

static void release(struct heap *heap, struct block *block)
{
    enum misuse_caller caller = heap->spans.caller;
    if (block_owner(block)->blkcount == 1)
        span_look(heap, block_owner(block));
    block_mark(block, BLOCK_MAGIC_USED);
    heap_free(heap, block_payload(block));
    heap->spans.caller = caller;
}

static void release_oldest(struct heap *heap)
{
    struct entry *entry = &entries[oldest];
    entry_check(heap, entry);
    oldest = (oldest + 1) % QUARANTINE_BLOCKS;
    count--;
    held -= entry->gross;
    release(heap, entry->block);
}

void quarantine_put(struct heap *heap, struct block *block)
{
    size_t gross = block_size(block);
    if (gross > QUARANTINE_BYTES) {
        release(heap, block);
        return;
    }
    while (count == QUARANTINE_BLOCKS || held + gross > QUARANTINE_BYTES)
        release_oldest(heap);
    verified_quarantine(block);
    entries[(oldest + count++) % QUARANTINE_BLOCKS] = (struct entry){block, gross, block->owner};
    held += gross;
}

bool quarantine_empty(struct heap *heap)
{
    bool had = count > 0;
    while (count > 0)
        release_oldest(heap);
    return had;
}
