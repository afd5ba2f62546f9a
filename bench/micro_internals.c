/*
 * Micro-benchmarks of span's own pieces, without locks and without what threads keep in front:
 * bins, split and merge of blocks, spans from the system. The one file of this folder that looks
 * inside the allocator: it is linked with the static library of one build, and runs beside the
 * shared one that serves malloc.
 */
#include "micro.h"
#include "micro_blocks.h"

#include "allocator/heap.h"

enum { BLOCKS = 64 };

/* A span of its own and BLOCKS free blocks of the usual sizes in it, none of them in a bin. */
struct workbench {
    struct spans spans;
    struct span *span;
    struct block *blocks[BLOCKS];
};

static size_t size_at(size_t i)
{
    return BLOCK_MIN + i * 3 * ALIGNMENT; /* up to 3 KiB, in bins of both kinds */
}

static bool workbench_open(struct workbench *bench)
{
    size_t total = 0;
    for (size_t i = 0; i < BLOCKS; i++)
        total += size_at(i);
    bench->spans = (struct spans){0};
    bench->span = span_cache_map(&bench->spans, span_size_for(total));
    if (bench->span == NULL)
        return false;
    struct block *block = span_first_block(bench->span);
    for (size_t i = 0; i < BLOCKS; i++) {
        block_make_free(block, bench->span, size_at(i), true);
        bench->blocks[i] = block;
        block = block_after(block);
    }
    return true;
}

static void workbench_close(struct workbench *bench)
{
    span_unmap(&bench->spans, bench->span);
}

/* An iteration puts a block into its bin and takes it out again. */
MICRO(internal_bins_put_take)
{
    struct workbench bench;
    if (!workbench_open(&bench))
        return micro_fail(micro, "out of memory");
    while (micro_runs(micro, BLOCKS)) {
        for (size_t i = 0; i < BLOCKS; i++)
            bins_put(&bench.span->bins, bin_of(size_at(i)), bench.blocks[i]);
        for (size_t i = 0; i < BLOCKS; i++)
            bins_take(&bench.span->bins, bin_of(size_at(i)), bench.blocks[i]);
    }
    workbench_close(&bench);
}

/* An iteration looks for the smallest bin that suffices. */
MICRO(internal_bins_find)
{
    struct workbench bench;
    if (!workbench_open(&bench))
        return micro_fail(micro, "out of memory");
    for (size_t i = 0; i < BLOCKS; i += 8)
        bins_put(&bench.span->bins, bin_of(size_at(i)), bench.blocks[i]);
    uint64_t seed = MICRO_SEED;
    MICRO_LOOP (micro)
        checked(bins_find(&bench.span->bins, size_at(random_below(&seed, BLOCKS - 8))));
    workbench_close(&bench);
}

/* Empties a heap of the block that kept its span; the span that the heap keeps goes as well. */
static void heap_close(struct heap *heap, void *kept)
{
    heap_free(heap, kept);
    while (heap->spans.cached && span_cache_evict(&heap->spans, 0))
        continue;
}

/* An iteration cuts a block off a larger one and merges it with that again. */
MICRO(internal_split_merge, .arguments = {MICRO_LIST(64, 1024, 16 * 1024)})
{
    size_t size = (size_t)micro_argument(micro, 0);
    struct heap heap = {0};
    void *kept = checked(heap_allocate(&heap, 1)); /* or the span would be empty each time */
    MICRO_LOOP (micro)
        heap_free(&heap, checked(heap_allocate(&heap, size)));
    heap_close(&heap, kept);
}

/* An iteration merges a block with free neighbours on both sides, and makes all three anew. */
MICRO(internal_merge_both)
{
    enum { SIZE = 1024, PARTS = 3 };
    struct heap heap = {0};
    void *parts[PARTS];
    void *kept = checked(heap_allocate(&heap, 1));
    MICRO_LOOP (micro) {
        for (size_t i = 0; i < PARTS; i++)
            parts[i] = checked(heap_allocate(&heap, SIZE));
        heap_free(&heap, parts[0]);
        heap_free(&heap, parts[2]);
        heap_free(&heap, parts[1]);
    }
    heap_close(&heap, kept);
}

/* An iteration maps a span, makes it one free block and returns it. */
MICRO(internal_span_map, .arguments = {MICRO_LIST(SPAN_MIN, 16 * SPAN_MIN)})
{
    size_t size = (size_t)micro_argument(micro, 0);
    struct spans spans = {0};
    MICRO_LOOP (micro) {
        struct span *span = checked(span_cache_map(&spans, size));
        span_fill(span);
        span_unmap(&spans, span);
    }
}
