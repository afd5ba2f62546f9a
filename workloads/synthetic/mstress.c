/*
 * mstress: thread churn with migrating objects. Again and again a thread is born, makes objects of
 * mixed sizes in bursts, keeps some, swaps some with a table that all threads share, frees the rest
 * and dies; the table and what it holds outlive it. It imitates thread pools without a pool, and
 * stresses adopting the memory of dead threads, frees of objects that wandered, and mixed
 * lifetimes. It does not show contention on single blocks. Source: Leijen, test-stress of mimalloc
 * (Leijen, Zorn and de Moura, "Mimalloc", MSR-TR-2019-18), run there as "mstress".
 */
#include "workloads/worker.h"

enum {
    GENERATION_BURSTS = 150, /* in the life of a thread; these numbers are arbitrary */
    KEPT = 512,              /* objects that a thread keeps at once */
    BURST = 64
};

/* The objects on the way between threads: a block's size stands at its own start. */
struct exchange {
    uint64_t places;
    _Atomic(struct wanderer *) wanderers[];
};

struct wanderer {
    uint64_t size;
    const struct wanderer *self; /* its address: what it must still hold when it is freed */
};

struct mstress {
    struct exchange *exchange;
    uint64_t made; /* objects, which unlike frees do not depend on what the others do */
    struct wanderer *kept[KEPT];
};

static void mstress_prepare(struct worker *workers)
{
    uint64_t places = workers->options->size;
    struct exchange *exchange =
        worker_table(sizeof(*exchange) + places * sizeof(exchange->wanderers[0]));
    exchange->places = places;
    workers_make_state(workers, sizeof(struct mstress));
    for (unsigned i = 0; i < workers->options->threads; i++)
        ((struct mstress *)workers[i].state)->exchange = exchange;
}

/* Most are small; one in a hundred is large, one in a thousand very large. */
static size_t wanderer_size(struct prng *prng)
{
    uint64_t luck = prng_below(prng, 1000);
    unsigned shift = luck == 0 ? 10 : luck < 10 ? 5 : 0;
    return prng_between(prng, 2, 32) * sizeof(uint64_t) << shift;
}

static struct wanderer *wanderer_make(struct worker *worker)
{
    size_t size = wanderer_size(&worker->prng);
    struct wanderer *wanderer = worker_malloc_plain(worker, size);
    *wanderer = (struct wanderer){size, wanderer};
    block_touch((char *)wanderer, 0, size);
    return wanderer;
}

static void wanderer_free(struct worker *worker, struct wanderer *wanderer)
{
    if (wanderer == NULL)
        return;
    if (wanderer->self != wanderer)
        worker_fail_block(wanderer, wanderer->size);
    worker_free_plain(worker, wanderer, wanderer->size);
}

/* A fourth of a burst wanders, the rest is kept until its place is needed again. */
static void make_burst(struct worker *worker, struct mstress *mstress)
{
    for (unsigned i = 0; i < BURST; i++) {
        struct wanderer **place = &mstress->kept[prng_below(&worker->prng, KEPT)];
        wanderer_free(worker, *place);
        *place = wanderer_make(worker);
        if (i % 4 == 0) {
            size_t at = prng_below(&worker->prng, mstress->exchange->places);
            *place = atomic_exchange(&mstress->exchange->wanderers[at], *place);
        }
    }
    mstress->made += BURST;
}

/* An object is made and freed, if not by the same worker. */
static bool mstress_is_due(const struct worker *worker)
{
    const struct mstress *mstress = worker->state;
    return worker_is_due_after(worker, 2 * mstress->made);
}

static void mstress_live(struct worker *worker)
{
    struct mstress *mstress = worker->state;
    for (unsigned i = 0; i < GENERATION_BURSTS && mstress_is_due(worker); i++)
        make_burst(worker, mstress);
    for (size_t i = 0; i < KEPT; i++) {
        wanderer_free(worker, mstress->kept[i]);
        mstress->kept[i] = NULL;
    }
}

static void mstress_run(struct worker *worker)
{
    struct exchange *exchange = ((struct mstress *)worker->state)->exchange;
    while (mstress_is_due(worker))
        worker_run_thread(worker, mstress_live);
    /* The others may still put objects there; each empties the table after its last one. */
    for (size_t i = 0; i < exchange->places; i++)
        wanderer_free(worker, atomic_exchange(&exchange->wanderers[i], NULL));
}

const struct workload workload_mstress = {
    .name = "mstress",
    .summary = "threads come and go, objects of mixed sizes wander between them",
    .size_is = "places for objects that wander",
    .size = 1000,
    .ops = 3000000,
    .threads = 2,
    .size_least = 1,
    .prepare = mstress_prepare,
    .run = mstress_run,
};
