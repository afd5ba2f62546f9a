/*
 * Threads that come and go, hand blocks to each other, are cancelled and interrupted: the heap
 * stays sound and memory bounded. What threads left behind would show in the memory held.
 */
#include "allocator/libspan.h"
#include "api_fixture.h"
#include "cmocka_all.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    GENERATIONS = 1200, /* threads, one after another */
    WARM_UP = 200,      /* of them before memory is measured */
    BLOCKS = 64,        /* of each thread; with BYTES, threads that keep them hold 20 MiB */
    BYTES = 256,
    SLACK = 6 << 20, /* bytes that may come from elsewhere */
};

static void fill(void **blocks)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = span_malloc(BYTES);
        memset(blocks[i], 'f', BYTES);
    }
}

static void drain(void **blocks)
{
    for (int i = 0; i < BLOCKS; i++)
        span_free(blocks[i]);
}

/* Runs `live` in GENERATIONS threads, each of which gets `argument`, and sees memory not grow. */
static void run_generations(void *(*live)(void *), void *argument, void (*after)(void *))
{
    size_t before = 0;
    for (int i = 0; i < GENERATIONS; i++) {
        pthread_t thread;
        if (i == WARM_UP)
            before = memory_held();
        assert_int_equal(pthread_create(&thread, NULL, live, argument), 0);
        pthread_join(thread, NULL);
        if (after)
            after(argument);
    }
    assert_in_range(memory_held(), 0, before + SLACK);
}

static void *fill_and_drain(void *blocks)
{
    fill(blocks);
    drain(blocks);
    return NULL;
}

static void threads_leave_no_memory_behind(void **state)
{
    (void)state;
    void *blocks[BLOCKS];
    run_generations(fill_and_drain, blocks, NULL);
}

static void *fill_only(void *blocks)
{
    fill(blocks);
    return NULL;
}

static void drain_them(void *blocks)
{
    drain(blocks);
}

static void blocks_outlive_their_thread(void **state)
{
    (void)state;
    void *blocks[BLOCKS];
    run_generations(fill_only, blocks, drain_them);
}

static void *drain_only(void *blocks)
{
    drain(blocks);
    return NULL;
}

static void threads_may_only_free(void **state)
{
    (void)state;
    void *blocks[BLOCKS];
    size_t before = 0;
    for (int i = 0; i < GENERATIONS; i++) {
        pthread_t thread;
        if (i == WARM_UP)
            before = memory_held();
        fill(blocks);
        assert_int_equal(pthread_create(&thread, NULL, drain_only, blocks), 0);
        pthread_join(thread, NULL);
    }
    assert_in_range(memory_held(), 0, before + SLACK);
}

/* Blocks on their way from one thread to another; NULL where there is none. */
enum { RING = 512, PASSED = 50 * 1000, PASSED_BYTES_MAX = 2000 };

struct ring {
    _Atomic(void *) slots[RING];
    bool give_back; /* the receiver allocates as well as it frees */
};

static void *receive(void *argument)
{
    struct ring *ring = argument;
    for (size_t i = 0; i < PASSED; i++) {
        unsigned char *p;
        while (!(p = atomic_exchange(&ring->slots[i % RING], NULL)))
            sched_yield();
        if (*p != (unsigned char)i)
            return p;
        span_free(p);
        if (ring->give_back)
            span_free(span_malloc(i % PASSED_BYTES_MAX));
    }
    return NULL;
}

static void send_all(struct ring *ring)
{
    for (size_t i = 0; i < PASSED; i++) {
        unsigned char *p = span_malloc(i * 7919 % PASSED_BYTES_MAX + 1);
        void *none = NULL;
        *p = (unsigned char)i;
        while (!atomic_compare_exchange_weak(&ring->slots[i % RING], &none, p)) {
            none = NULL;
            sched_yield();
        }
    }
}

static void pass_blocks(bool give_back)
{
    static struct ring ring;
    pthread_t thread;
    void *wrong;
    ring.give_back = give_back;
    size_t before = memory_held();
    assert_int_equal(pthread_create(&thread, NULL, receive, &ring), 0);
    send_all(&ring);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_in_range(memory_held(), 0, before + 2 * SLACK);
}

static void producer_and_consumer(void **state)
{
    (void)state;
    pass_blocks(false);
}

static void producer_and_busy_consumer(void **state)
{
    (void)state;
    pass_blocks(true);
}

/* Destructors of thread-specific data, called in every round there is: the allocator's own, if it
   has one, runs in the first, and these allocate afterwards as well. */
enum { KEYS = 2 };
static pthread_key_t early_key;
static pthread_key_t late_key;
static _Thread_local int rounds;

static void destroy(pthread_key_t key, void *p)
{
    void *blocks[BLOCKS];
    span_free(p);
    fill_and_drain(blocks);
    /* ThreadSanitizer itself is gone in the last round. */
    int more = PTHREAD_DESTRUCTOR_ITERATIONS - 1 - has_thread_sanitizer();
    if (rounds++ < KEYS * more)
        pthread_setspecific(key, span_malloc(BYTES));
}

static void destroy_early(void *p)
{
    destroy(early_key, p);
}

static void destroy_late(void *p)
{
    destroy(late_key, p);
}

static void *live_with_keys(void *allocates)
{
    void *blocks[BLOCKS];
    pthread_setspecific(early_key, span_malloc(BYTES));
    pthread_setspecific(late_key, span_malloc(BYTES));
    return allocates ? fill_and_drain(blocks) : NULL;
}

/* Before the allocator can have made a key of its own. */
__attribute__((constructor(101))) static void make_early_key(void)
{
    pthread_key_create(&early_key, destroy_early);
}

static void destructors_of_keys_allocate(void **state)
{
    (void)state;
    span_free(span_malloc(1));
    assert_int_equal(pthread_key_create(&late_key, destroy_late), 0);
    run_generations(live_with_keys, &late_key, NULL);
    pthread_key_delete(late_key);
}

/* What C++ calls for a thread_local object with a destructor; glibc's. */
extern int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *dso);
extern void *__dso_handle;

static void destroy_object(void *p)
{
    void *blocks[BLOCKS];
    span_free(p);
    fill_and_drain(blocks);
}

static void *live_with_object(void *unused)
{
    __cxa_thread_atexit_impl(destroy_object, span_malloc(BYTES), &__dso_handle);
    return unused;
}

static void destructors_of_thread_locals_allocate(void **state)
{
    (void)state;
    run_generations(live_with_object, NULL, NULL);
}

static void clean_up(void *blocks)
{
    drain(blocks);
}

static void *wait_to_be_cancelled(void *filled)
{
    void *blocks[BLOCKS];
    fill(blocks);
    pthread_cleanup_push(clean_up, blocks);
    atomic_store((atomic_bool *)filled, true);
    for (;;)
        pause();
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancelled_threads(void **state)
{
    (void)state;
    size_t before = 0;
    for (int i = 0; i < GENERATIONS; i++) {
        pthread_t thread;
        void *result;
        atomic_bool filled = false;
        if (i == WARM_UP)
            before = memory_held();
        assert_int_equal(pthread_create(&thread, NULL, wait_to_be_cancelled, &filled), 0);
        while (!atomic_load(&filled))
            sched_yield();
        pthread_cancel(thread);
        pthread_join(thread, &result);
        assert_ptr_equal(result, PTHREAD_CANCELED);
    }
    assert_in_range(memory_held(), 0, before + SLACK);
}

static void *block_signals_and_live(void *blocks)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return fill_and_drain(blocks);
}

static void threads_with_all_signals_blocked(void **state)
{
    (void)state;
    void *blocks[BLOCKS];
    run_generations(block_signals_and_live, blocks, NULL);
}

enum { INTERRUPTIONS = 500 };

static atomic_int interruptions; /* which is lock-free */

static void interrupt(int signal)
{
    (void)signal;
    interruptions++;
}

/* Allocates, resizes and frees until it was interrupted often; the number of blocks that changed.
 */
static int churn_while_interrupted(void)
{
    unsigned char *window[BLOCKS] = {NULL};
    int changed = 0;
    for (size_t i = 0; interruptions < INTERRUPTIONS || i < BLOCKS; i++) {
        unsigned char **p = &window[i % BLOCKS];
        changed += *p && **p != i % BLOCKS;
        if (i % 3)
            span_free(*p);
        *p = span_realloc(i % 3 ? NULL : *p, i * 7919 % 70000 + 1);
        **p = i % BLOCKS;
    }
    drain((void **)window);
    return changed;
}

static void interrupted_calls_are_whole(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = interrupt};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec often = {{0, 100 * 1000}, {0, 100 * 1000}};
    timer_t timer;
    interruptions = 0;
    sigaction(SIGUSR1, &action, NULL);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    hammers_start();
    assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
    assert_int_equal(churn_while_interrupted(), 0);
    timer_delete(timer);
    hammers_stop();
}

static void many_at_once(void **state)
{
    (void)state;
    size_t before = 0;
    for (int round = 0; round < 40; round++) {
        if (round == 10)
            before = memory_held();
        hammers_start();
        hammers_stop();
    }
    assert_in_range(memory_held(), 0, before + SLACK);
}

#define THREADS_TEST(name) cmocka_unit_test_setup_teardown(name, limit_time, sound_api)

/* `test_threads [NAME]`: all, or the one test. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        THREADS_TEST(threads_leave_no_memory_behind),
        THREADS_TEST(blocks_outlive_their_thread),
        THREADS_TEST(threads_may_only_free),
        THREADS_TEST(producer_and_consumer),
        THREADS_TEST(producer_and_busy_consumer),
        THREADS_TEST(destructors_of_keys_allocate),
        THREADS_TEST(destructors_of_thread_locals_allocate),
        THREADS_TEST(cancelled_threads),
        THREADS_TEST(threads_with_all_signals_blocked),
        THREADS_TEST(interrupted_calls_are_whole),
        THREADS_TEST(many_at_once),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
