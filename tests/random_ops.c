/*
 * The slots are the trace's: one that is free is taken again at once, by whichever thread.
 */
#include "random_ops.h"

#include "workloads/prng.h"

#include <string.h>

/* The trace in the making. */
struct making {
    struct random_ops *ops;
    struct prng prng;
    uint64_t live[RANDOM_SLOTS]; /* bytes of the block in a slot, plus one; 0: none */
    uint64_t live_bytes;
    uint32_t running[RANDOM_THREADS];
    unsigned count; /* of running */
    unsigned most;  /* threads at once */
    unsigned size_bits;
};

static void op_put(struct making *making, struct trace_op op)
{
    struct random_ops *ops = making->ops;
    op.time_ns = ops->count;
    ops->op[ops->count++] = op;
}

static void thread_start(struct making *making)
{
    uint32_t thread = (uint32_t)making->ops->totals.threads++;
    making->running[making->count++] = thread;
    op_put(making,
           (struct trace_op){.kind = TRACE_THREAD_START, .thread = thread, .slot = TRACE_NO_SLOT});
}

static void thread_end(struct making *making, unsigned which)
{
    uint32_t thread = making->running[which];
    making->running[which] = making->running[--making->count];
    op_put(making,
           (struct trace_op){.kind = TRACE_THREAD_END, .thread = thread, .slot = TRACE_NO_SLOT});
}

static void live_set(struct making *making, uint32_t slot, uint64_t bytes, bool lives)
{
    struct trace_totals *totals = &making->ops->totals;
    making->live_bytes -= making->live[slot] ? making->live[slot] - 1 : 0;
    making->live_bytes += bytes;
    making->live[slot] = lives ? bytes + 1 : 0;
    if (making->live_bytes > totals->peak_live)
        totals->peak_live = making->live_bytes;
}

static void call_put(struct making *making, uint32_t thread)
{
    struct prng *prng = &making->prng;
    uint32_t slot = (uint32_t)prng_below(prng, RANDOM_SLOTS);
    uint64_t size = prng_log_uniform(prng, 0, making->size_bits);
    struct trace_op op = {.thread = thread, .slot = slot, .size = size};
    unsigned chance = (unsigned)prng_below(prng, 100);
    if (chance == 0) {
        op.kind = TRACE_MALLOC;
        op.slot = TRACE_NO_SLOT;
        op.flags = TRACE_FAILED;
    } else if (chance == 1) {
        op = (struct trace_op){
            .kind = TRACE_FREE, .thread = thread, .slot = TRACE_NO_SLOT, .flags = TRACE_NULL};
    } else if (making->live[slot] && chance < 30) {
        op.kind = TRACE_REALLOC;
        live_set(making, slot, size, true);
    } else if (making->live[slot]) {
        op.kind = TRACE_FREE;
        op.size = 0;
        live_set(making, slot, 0, false);
    } else {
        op.kind = chance < 40 ? TRACE_CALLOC : TRACE_MALLOC;
        op.count = op.kind == TRACE_CALLOC ? 2 : 0;
        live_set(making, slot, trace_op_bytes(&op), true);
    }
    op_put(making, op);
}

void random_ops_make(struct random_ops *ops, uint64_t seed, unsigned threads, unsigned size_bits)
{
    static struct making making;
    memset(&making, 0, sizeof(making));
    memset(&ops->totals, 0, sizeof(ops->totals));
    ops->count = 0;
    making.ops = ops;
    making.prng = prng_of_seed(seed, 0);
    making.most = threads;
    making.size_bits = size_bits;
    thread_start(&making);
    while (ops->count + 1 < RANDOM_OPS) {
        unsigned chance = (unsigned)prng_below(&making.prng, 1000);
        unsigned which = (unsigned)prng_below(&making.prng, making.count);
        if (chance < 20 && making.count < making.most && ops->totals.threads < RANDOM_THREADS)
            thread_start(&making);
        else if (chance > 988 && making.count > 1)
            thread_end(&making, which);
        else
            call_put(&making, making.running[which]);
    }
    ops->totals.ops = ops->count;
    ops->totals.slots = RANDOM_SLOTS;
}
