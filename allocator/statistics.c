/* The walks over a heap's spans and blocks: see statistics.h. */
#include "statistics.h"

static void tally_add(struct tally *tally, size_t count, size_t bytes)
{
    tally->count += count;
    tally->bytes += bytes;
}

static unsigned class_of(size_t bytes)
{
    return bytes > 1 ? 64 - (unsigned)__builtin_clzl(bytes - 1) : 0;
}

_Static_assert(sizeof(long) == sizeof(size_t), "__builtin_clzl");

/* What the one block of a dedicated span leaves free is nobody's, and counts with the span. */
static void count_block(struct statistics *statistics, const struct span *span,
                        const struct block *block, size_t gross)
{
    if (!block_is_free(block)) {
        bool is_used = !block_magic_is_freed(block_magic(block));
        tally_add(is_used ? &statistics->used : &statistics->cached, 1, gross);
    } else if (span->kind != SPAN_DEDICATED) {
        tally_add(&statistics->free, 1, gross);
        tally_add(&statistics->free_of_class[class_of(gross) % STATISTICS_CLASSES], 1, gross);
    }
}

/* A program that has overwritten a header may ask as well, and no loop be without an end. */
static void count_blocks(struct statistics *statistics, struct span *span)
{
    struct block *block = span_first_block(span);
    while (block != span_end(span)) {
        size_t gross = block_size(block);
        if (gross < BLOCK_MIN || gross > (size_t)((char *)span_end(span) - (char *)block))
            return;
        count_block(statistics, span, block, gross);
        block = block_at(block, gross);
    }
}

void statistics_of_heap(const struct heap *heap, struct statistics *statistics)
{
    *statistics = (struct statistics){0};
    for (struct span *span = heap->spans.first; span; span = span->next) {
        tally_add(&statistics->spans, 1, span->size);
        if (span->kind == SPAN_CACHED) {
            tally_add(&statistics->empty, 1, span->size);
            continue;
        }
        if (span->kind == SPAN_DEDICATED)
            tally_add(&statistics->dedicated, 1, span->size);
        count_blocks(statistics, span);
    }
}

void statistics_of_arena(int i, struct statistics *statistics)
{
    bool locked = arena_lock(&arenas[i]);
    statistics_of_heap(&arenas[i].heap, statistics);
    arena_unlock(&arenas[i], locked);
}

void statistics_add(struct statistics *sum, const struct statistics *statistics)
{
    struct tally *to = (struct tally *)sum;
    const struct tally *from = (const struct tally *)statistics;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        tally_add(&to[i], from[i].count, from[i].bytes);
}

_Static_assert(sizeof(struct statistics) % sizeof(struct tally) == 0, "tallies and nothing else");

size_t statistics_shared(const struct statistics *statistics)
{
    return statistics->spans.bytes - statistics->dedicated.bytes;
}

size_t statistics_unused(const struct statistics *statistics)
{
    return statistics->free.bytes + statistics->cached.bytes + statistics->empty.bytes;
}
