/*
 * What each operation adds to the counts.
 */
#include "census.h"

#include "pages.h"

static unsigned bucket_of(uint64_t n)
{
    return n == 0 ? 0 : 64 - (unsigned)__builtin_clzll(n);
}

bool census_open(struct census *census, uint64_t ops)
{
    *census = (struct census){.point_ops = ops / CENSUS_POINTS + 1};
    census->exact = pages_map(CENSUS_EXACT_BYTES * sizeof *census->exact);
    return census->exact != NULL;
}

static bool census_reserve(struct census *census, const struct trace_op *op)
{
    void *blocks = census->blocks, *threads = census->threads;
    size_t wanted = op->slot == TRACE_NO_SLOT ? 0 : (size_t)op->slot + 1;
    bool ok = pages_reserve(&blocks, &census->blocks_capacity, sizeof *census->blocks, wanted);
    census->blocks = blocks;
    ok = ok && pages_reserve(&threads, &census->threads_capacity, sizeof *census->threads,
                             (size_t)op->thread + 1);
    census->threads = threads;
    return ok;
}

static bool size_add(struct census *census, uint64_t bytes)
{
    census->requested += bytes;
    census->sizes[bucket_of(bytes)]++;
    if (bytes >= CENSUS_EXACT_BYTES)
        return count_map_add(&census->large, bytes, 1);
    census->exact[bytes]++;
    return true;
}

static void lifetime_add(struct census_lifetimes *lifetimes, uint64_t lifetime)
{
    lifetimes->buckets[bucket_of(lifetime)]++;
    lifetimes->sum += (double)lifetime;
}

/* A lifetime goes from the call that made the block to its free; a realloc does not end it. */
static void block_free(struct census *census, struct census_block *block)
{
    lifetime_add(&census->in_allocations, census->allocations - block->made);
    lifetime_add(&census->in_ops, census->ops - block->made_op);
    lifetime_add(&census->in_bytes, census->requested - block->requested);
    census->reallocs.resizes[bucket_of(block->resizes)]++;
    census->freed++;
    census->live -= block->bytes;
    census->live_blocks--;
    *block = (struct census_block){0};
}

static void block_make(struct census *census, struct census_block *block, const struct trace_op *op)
{
    *block = (struct census_block){
        .bytes = trace_op_bytes(op),
        .made = ++census->allocations,
        .made_op = census->ops,
        .requested = census->requested,
        .owner = op->thread,
    };
    census->live += block->bytes;
    census->live_blocks++;
}

static void block_resize(struct census *census, struct census_block *block,
                         const struct trace_op *op)
{
    struct census_reallocs *reallocs = &census->reallocs;
    reallocs->grow += op->size > block->bytes;
    reallocs->shrink += op->size < block->bytes;
    reallocs->same += op->size == block->bytes;
    reallocs->bytes_grown += op->size > block->bytes ? op->size - block->bytes : 0;
    census->live += op->size - block->bytes;
    block->bytes = op->size;
    block->owner = op->thread;
    block->resizes++;
}

/* A realloc or free of a block that did not fail. */
static bool block_change(struct census *census, const struct trace_op *op)
{
    struct census_block *block = &census->blocks[op->slot];
    uint64_t pair = (uint64_t)block->owner << 32 | op->thread;
    bool ok = count_map_add(&census->pairs, pair, 1);
    if (!trace_op_frees(op)) {
        block_resize(census, block, op);
        return size_add(census, op->size) && ok;
    }
    census->reallocs.to_zero += op->kind == TRACE_REALLOC;
    block_free(census, block);
    return ok;
}

/* The point of this stretch of operations goes on with each of them. */
static void point_add(struct census *census, const struct trace_op *op)
{
    if (census->live > census->peak) {
        census->peak = census->live;
        census->peak_op = census->ops;
        census->peak_time_ns = op->time_ns;
        census->peak_blocks = census->live_blocks;
    }
    size_t i = (size_t)(census->ops / census->point_ops);
    if (i >= CENSUS_POINTS)
        i = CENSUS_POINTS - 1; /* a damaged trace has more operations than it says */
    struct census_point *point = &census->points[i];
    census->points_used = i + 1;
    *point = (struct census_point){
        .ops = census->ops + 1,
        .time_ns = op->time_ns,
        .live = census->live,
        .peak = census->live > point->peak ? census->live : point->peak,
        .blocks = census->live_blocks,
    };
}

bool census_add(struct census *census, const struct trace_op *op)
{
    if (!census_reserve(census, op))
        return false;
    bool ok = true;
    census->threads[op->thread]++;
    if (op->flags & TRACE_FAILED) {
        census->failed[op->kind]++;
        census->reallocs.failed += op->kind == TRACE_REALLOC;
    } else if (trace_op_makes(op)) {
        census->reallocs.of_null += op->kind == TRACE_REALLOC;
        ok = size_add(census, trace_op_bytes(op));
        block_make(census, &census->blocks[op->slot], op);
    } else if (op->slot != TRACE_NO_SLOT) {
        ok = block_change(census, op);
    }
    point_add(census, op);
    census->ops++;
    return ok;
}

void census_end(struct census *census)
{
    for (size_t i = 0; i < census->blocks_capacity; i++) {
        if (census->blocks[i].made != 0)
            census->reallocs.resizes[bucket_of(census->blocks[i].resizes)]++;
    }
}

void census_close(struct census *census)
{
    pages_unmap(census->blocks, census->blocks_capacity * sizeof *census->blocks);
    pages_unmap(census->threads, census->threads_capacity * sizeof *census->threads);
    pages_unmap(census->exact, CENSUS_EXACT_BYTES * sizeof *census->exact);
    count_map_close(&census->large);
    count_map_close(&census->pairs);
}
