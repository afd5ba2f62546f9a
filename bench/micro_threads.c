/*
 * Micro-benchmarks with threads: the same calls from several at once, blocks that one thread
 * allocates and another frees, and the first call of a thread.
 */
#include "micro.h"
#include "micro_blocks.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* Each thread on its own. The time of an iteration is the wall time by all threads' iterations, so
   with two threads that do not disturb each other it is half of what it is with one. */
MICRO(pair_threads, .arguments = {MICRO_LIST(64, 4096)}, .threads = MICRO_LIST(1, 2),
      .clock = MICRO_WALL)
{
    size_t size = (size_t)micro_argument(micro, 0);
    MICRO_LOOP (micro)
        free(checked(malloc(size)));
}

/* Random replacement of small blocks, each thread in slots of its own. */
MICRO(replace_threads, .threads = MICRO_LIST(1, 2), .clock = MICRO_WALL)
{
    enum { SLOTS = 1000, SIZE_FIRST = 16, SIZES = 497 };
    void *slots[SLOTS] = {NULL};
    uint64_t seed = MICRO_SEED + (uint64_t)micro_thread(micro);
    MICRO_LOOP (micro) {
        void **slot = &slots[random_below(&seed, SLOTS)];
        free(*slot);
        *(char *)(*slot = checked(malloc(SIZE_FIRST + random_below(&seed, SIZES)))) = 1;
    }
    for (size_t i = 0; i < SLOTS; i++)
        free(slots[i]);
}

enum {
    BELT = 4096, /* blocks on their way at most */
    SHARE = 64   /* blocks passed on at once, so that passing costs little beside the calls */
};

/* Blocks on their way from the thread that runs the benchmark to the one that frees. The counts
   are of all blocks since the start and lie in cache lines of their own. */
static struct belt {
    _Alignas(128) atomic_size_t filled;
    _Alignas(128) atomic_size_t emptied;
    atomic_bool is_over;
    bool has_consumer;
    pthread_t consumer;
    void *blocks[BELT];
} belt;

static void *consume(void *unused)
{
    size_t taken = 0;
    for (;;) {
        bool is_over = atomic_load(&belt.is_over);
        size_t filled = atomic_load_explicit(&belt.filled, memory_order_acquire);
        if (taken == filled && is_over)
            return unused;
        if (taken == filled)
            sched_yield();
        for (; taken < filled; taken++)
            free(belt.blocks[taken % BELT]);
        atomic_store_explicit(&belt.emptied, taken, memory_order_release);
    }
}

static void belt_start(const struct micro *micro)
{
    (void)micro;
    atomic_store(&belt.filled, 0);
    atomic_store(&belt.emptied, 0);
    atomic_store(&belt.is_over, false);
    belt.has_consumer = pthread_create(&belt.consumer, NULL, consume, NULL) == 0;
}

static void belt_stop(const struct micro *micro)
{
    (void)micro;
    atomic_store(&belt.is_over, true);
    if (belt.has_consumer)
        pthread_join(belt.consumer, NULL);
}

static void wait_for_room(size_t filled)
{
    while (filled - atomic_load_explicit(&belt.emptied, memory_order_acquire) > BELT - SHARE)
        sched_yield();
}

/* An iteration is a block that is allocated here and freed by another thread. */
MICRO(free_elsewhere, .arguments = {MICRO_LIST(64, 1024)}, .setup = belt_start,
      .teardown = belt_stop, .clock = MICRO_WALL)
{
    size_t size = (size_t)micro_argument(micro, 0);
    size_t filled = 0;
    if (!belt.has_consumer)
        return micro_fail(micro, "pthread_create failed");
    MICRO_LOOP (micro) {
        *(char *)(belt.blocks[filled % BELT] = checked(malloc(size))) = 1;
        if (++filled % SHARE == 0) {
            atomic_store_explicit(&belt.filled, filled, memory_order_release);
            wait_for_room(filled);
        }
    }
    atomic_store_explicit(&belt.filled, filled, memory_order_release);
}

static void *time_first_call(void *ns)
{
    uint64_t start = clock_ns();
    void *p = checked(malloc(64));
    *(uint64_t *)ns = clock_ns() - start;
    free(p);
    return NULL;
}

/* A new thread's first malloc, with one reading of the clock in it. */
MICRO(first_call_of_thread, .clock = MICRO_MANUAL, .iterations = 200)
{
    while (micro_runs(micro, 1)) {
        pthread_t thread;
        uint64_t ns = 0;
        if (pthread_create(&thread, NULL, time_first_call, &ns) != 0)
            return micro_fail(micro, "pthread_create failed");
        pthread_join(thread, NULL);
        micro_add_ns(micro, ns);
    }
}
