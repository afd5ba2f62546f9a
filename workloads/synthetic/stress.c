/*
 * stress: everything at once, at random, for as long as one likes: every function of malloc's
 * family, all sizes from nothing to 16 MiB, threads that come and go, blocks that wander between
 * them, and calls that fail when the address space is limited. It is no benchmark: every block is
 * filled with a pattern of its own and verified, whole up to 4 KiB and then in places, when it is
 * resized, freed or just looked at. A call that fails must say ENOMEM and leave the old block as it
 * was. It does not look for slowness or waste.
 */
#include "workloads/worker.h"

#include <errno.h>
#include <malloc.h>

enum {
    SLOTS = 1000, /* of each worker; all these numbers are arbitrary */
    SHARED = 256, /* places where blocks are left for other threads */
    GENERATION_STEPS = 20000,
    WHOLE = 4096, /* bytes that are verified one by one */
    STRIDE = 1021
};

/* A block and what it was filled with. */
struct charge {
    unsigned char *p;
    size_t size;
    uint64_t seed;
};

/* A place where any thread takes what lies there and leaves something else. */
struct place {
    alignas(WORKER_APART) atomic_flag is_busy;
    struct charge charge;
};

struct stress {
    struct charge charges[SLOTS];
    struct place *places;
};

static void stress_prepare(struct worker *workers)
{
    struct place *places = worker_table(SHARED * sizeof(struct place));
    workers_make_state(workers, sizeof(struct stress));
    for (unsigned i = 0; i < workers->options->threads; i++)
        ((struct stress *)workers[i].state)->places = places;
}

static unsigned char pattern(uint64_t seed, size_t at)
{
    return (unsigned char)((seed + at) * 0x9e3779b97f4a7c15 >> 56);
}

/* The byte after `at` that is looked at. */
static size_t next_at(size_t at, size_t size)
{
    size_t next = at < WHOLE ? at + 1 : at + STRIDE;
    return next < size || at + 1 >= size ? next : size - 1;
}

static void charge_fill(struct charge *charge, size_t from)
{
    for (size_t at = from; at < charge->size; at = next_at(at, charge->size))
        charge->p[at] = pattern(charge->seed, at);
}

/* The first `size` bytes hold the pattern, the last of a block that was longer excepted. */
static void charge_verify(const struct charge *charge, size_t size)
{
    for (size_t at = 0; at < size; at = next_at(at, charge->size))
        if (charge->p[at] != pattern(charge->seed, at))
            worker_fail("block %p of %zu byte%s: byte %zu has changed", (void *)charge->p,
                        charge->size, plural(charge->size), at);
}

static size_t stress_size(struct prng *prng)
{
    uint64_t luck = prng_below(prng, 1000);
    if (luck == 0)
        return 0;
    if (luck < 5)
        return prng_log_uniform(prng, 16, 24);
    return prng_log_uniform(prng, 0, luck < 100 ? 16 : 10);
}

/* Notes that a call failed, as it may when memory is short. */
static void refuse(struct worker *worker, const char *call, size_t size, int error)
{
    if (error != ENOMEM)
        worker_fail("%s of %zu byte%s failed with %s and not for want of memory", call, size,
                    plural(size), strerror(error));
    worker->refused++;
}

static void verify_zero(const unsigned char *p, size_t size)
{
    for (size_t at = 0; at < size; at = next_at(at, size))
        if (p[at] != 0)
            worker_fail("calloc of %zu byte%s: byte %zu is not zero", size, plural(size), at);
}

/* aligned_alloc wants a multiple of the alignment, to which *size is then rounded up. */
static unsigned char *make_aligned(struct prng *prng, size_t *size)
{
    size_t alignment = (size_t)16 << prng_below(prng, 13);
    void *p = NULL;
    switch (prng_below(prng, 3)) {
    case 0:
        errno = posix_memalign(&p, alignment, *size);
        p = errno == 0 ? p : NULL;
        break;
    case 1:
        *size = (*size + alignment - 1) & ~(alignment - 1);
        p = aligned_alloc(alignment, *size);
        break;
    default:
        p = memalign(alignment, *size);
    }
    if (*size > 0 && ((uintptr_t)p & (alignment - 1)) != 0)
        worker_fail("block %p of %zu byte%s is not aligned to %zu", p, *size, plural(*size),
                    alignment);
    return p;
}

static void charge_make(struct worker *worker, struct charge *charge)
{
    struct prng *prng = &worker->prng;
    uint64_t luck = prng_below(prng, 10);
    struct charge fresh = {.size = stress_size(prng), .seed = prng_next(prng)};
    enum worker_call call = luck < 2 ? CALL_CALLOC : luck < 4 ? CALL_ALIGNED : CALL_MALLOC;
    errno = 0;
    if (call == CALL_CALLOC)
        fresh.p = calloc(1, fresh.size);
    else if (call == CALL_ALIGNED)
        fresh.p = make_aligned(prng, &fresh.size);
    else
        fresh.p = malloc(fresh.size);
    if (fresh.p == NULL) {
        if (fresh.size > 0)
            refuse(worker, "an allocation", fresh.size, errno);
        return;
    }
    if (((uintptr_t)fresh.p & (fresh.size >= 16 ? 15 : 7)) != 0 ||
        malloc_usable_size(fresh.p) < fresh.size)
        worker_fail("block %p of %zu byte%s is misaligned or too small", (void *)fresh.p,
                    fresh.size, plural(fresh.size));
    if (call == CALL_CALLOC)
        verify_zero(fresh.p, fresh.size);
    charge_fill(&fresh, 0);
    worker_count(worker, call, fresh.size, (int64_t)fresh.size);
    *charge = fresh;
}

static void charge_free(struct worker *worker, struct charge *charge)
{
    if (charge->p == NULL)
        return;
    charge_verify(charge, charge->size);
    worker_count(worker, CALL_FREE, charge->size, -(int64_t)charge->size);
    free(charge->p);
    *charge = (struct charge){0};
}

static void charge_resize(struct worker *worker, struct charge *charge)
{
    size_t old = charge->size;
    size_t size = 1 + stress_size(&worker->prng);
    charge_verify(charge, old);
    errno = 0;
    unsigned char *p = realloc(charge->p, size);
    if (p == NULL) {
        refuse(worker, "realloc", size, errno);
        charge_verify(charge, old);
        return;
    }
    worker_count(worker, CALL_REALLOC, size, (int64_t)size - (int64_t)old);
    charge->p = p;
    /* A long block is not filled between the places that were looked at, and these depend on its
       size; only what both have in common is compared. */
    size_t common = old < size ? old : size;
    for (size_t at = 0; at < common && at < WHOLE; at++)
        if (p[at] != pattern(charge->seed, at))
            worker_fail("realloc of %zu to %zu byte%s: byte %zu has changed", old, size,
                        plural(size), at);
    charge->size = size;
    charge_fill(charge, 0);
}

/* Leaves a block for another thread and takes what lies there. */
static void charge_swap(struct place *place, struct charge *charge)
{
    while (atomic_flag_test_and_set_explicit(&place->is_busy, memory_order_acquire))
        ;
    struct charge other = place->charge;
    place->charge = *charge;
    atomic_flag_clear_explicit(&place->is_busy, memory_order_release);
    *charge = other;
}

static void stress_step(struct worker *worker, struct stress *stress)
{
    struct charge *charge = &stress->charges[prng_below(&worker->prng, SLOTS)];
    uint64_t luck = prng_below(&worker->prng, 100);
    if (luck < 5)
        charge_swap(&stress->places[prng_below(&worker->prng, SHARED)], charge);
    else if (charge->p == NULL)
        charge_make(worker, charge);
    else if (luck < 20)
        charge_resize(worker, charge);
    else if (luck < 30)
        charge_verify(charge, charge->size);
    else
        charge_free(worker, charge);
}

static void stress_live(struct worker *worker)
{
    for (unsigned i = 0; i < GENERATION_STEPS && worker_is_due(worker); i++)
        stress_step(worker, worker->state);
}

static void stress_run(struct worker *worker)
{
    struct stress *stress = worker->state;
    while (worker_is_due(worker))
        if (!worker_try_thread(worker, stress_live)) {
            worker->refused++;
            stress_live(worker);
        }
    for (size_t i = 0; i < SLOTS; i++)
        charge_free(worker, &stress->charges[i]);
    for (size_t i = 0; i < SHARED; i++) {
        struct charge charge = {0};
        charge_swap(&stress->places[i], &charge);
        charge_free(worker, &charge);
    }
}

const struct workload workload_stress = {
    .name = "stress",
    .summary = "a test: all calls at random, every block verified",
    .ops = 300000,
    .threads = 4,
    .prepare = stress_prepare,
    .run = stress_run,
    .varies = true,
    .is_test = true,
};
