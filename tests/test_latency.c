/*
 * Timed calls: the clock is calibrated, a call does what it does untimed, a sixteenth of the calls
 * is sampled, each as likely as the others, and the worst ten are kept, in order, of all threads.
 */
#include "bench/lanes.h"
#include "bench/latency.h"
#include "bench/replayer.h"
#include "cmocka_all.h"
#include "random_ops.h"
#include "workloads/prng.h"

#include <sched.h>
#include <string.h>

enum {
    LAST_SLOT = RANDOM_SLOTS,
    CALLS = 3000,
    WAIT_NS = 20 * 1000, /* the least that the slow call waits */
    ATTEMPTS = 1000,     /* a busy machine may disturb what is timed */
};

static struct random_ops ops;
static struct steps steps;
static struct latency latency;
static struct slot table[LAST_SLOT + 1], untimed_table[LAST_SLOT + 1];

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A call that takes as many times WAIT_NS as bytes are asked for. */
__attribute__((visibility("default"))) void *valloc(size_t size)
{
    uint64_t until = now_ns() + size * WAIT_NS;
    while (now_ns() < until)
        continue;
    return malloc(size);
}

static void add(enum trace_kind kind, uint32_t slot, uint64_t size)
{
    struct trace_op op = {.kind = kind, .slot = slot, .size = size};
    assert_true(steps_add(&steps, &op, LAST_SLOT));
}

static void open_seeded(enum latency_aim aim, uint64_t seed)
{
    assert_true(steps_open(&steps, 1));
    assert_true(latency_open(&latency, TOUCH_PAGE, aim, seed));
}

static void open_all(enum latency_aim aim)
{
    open_seeded(aim, 0);
}

static void free_all(struct slot *slots)
{
    for (size_t i = 0; i <= LAST_SLOT; i++) {
        free(slots[i].p);
        slots[i] = (struct slot){NULL, 0};
    }
}

static void close_all(void)
{
    free_all(table);
    free_all(untimed_table);
    latency_close(&latency);
    steps_close(&steps);
}

static void call_all(struct latency_thread *part)
{
    const uint64_t *at = steps.words;
    while (at != steps.words + steps.used)
        assert_true(latency_call(&latency, part, table, &at));
}

static uint64_t samples(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < LATENCY_KINDS; i++)
        n += histogram_total(&latency.by_kind[i]);
    return n;
}

/* The counter's nanoseconds of a wait lie between those of the system's clock read inside and
   outside of it. */
static void test_the_counter_is_calibrated(void **state)
{
    (void)state;
    struct cycle_counter counter;
    cycle_counter_calibrate(&counter);
    assert_true(counter.step > 0);
    assert_true((double)counter.cost * counter.ns < 10000);
    uint64_t outer_began = now_ns();
    uint64_t began = cycles_begin();
    uint64_t inner_began = now_ns();
    while (now_ns() - inner_began < 20 * 1000 * 1000)
        continue;
    uint64_t inner = now_ns() - inner_began;
    uint64_t ended = cycles_end();
    uint64_t outer = now_ns() - outer_began;
    double ns = (double)cycle_counter_between(&counter, began, ended) * counter.ns;
    assert_true(ns > 0.98 * (double)inner - 1000);
    assert_true(ns < 1.02 * (double)outer + 1000);
}

static void test_reading_costs_nothing_and_time_is_never_negative(void **state)
{
    (void)state;
    const struct cycle_counter counter = {.ns = 1, .cost = 30, .step = 1};
    assert_int_equal(cycle_counter_between(&counter, 100, 130), 0);
    assert_int_equal(cycle_counter_between(&counter, 100, 120), 0);
    assert_int_equal(cycle_counter_between(&counter, 100, 175), 45);
}

static void add_random_steps(uint64_t seed)
{
    random_ops_make(&ops, seed, 4, 12);
    for (size_t i = 0; i < ops.count; i++)
        assert_true(steps_add(&steps, &ops.op[i], LAST_SLOT));
}

/* Sizes, which slots are empty, and the touched bytes are those of an untimed run. */
static void test_a_timed_call_does_what_it_does_untimed(void **state)
{
    (void)state;
    for (enum latency_aim aim = 0; aim <= LATENCY_OF_ALL; aim++) {
        struct latency_thread part;
        open_all(aim);
        add_random_steps(5);
        latency_thread_begin(&latency, &part, 0);
        const uint64_t *at = steps.words, *other = steps.words;
        while (at != steps.words + steps.used) {
            uint32_t slot = step_slot(*at);
            int64_t change;
            assert_true(latency_call(&latency, &part, table, &at));
            assert_true(step_call(untimed_table, &other, TOUCH_PAGE, &change));
            assert_ptr_equal(at, other);
            assert_int_equal(table[slot].size, untimed_table[slot].size);
            if (table[slot].size > 0)
                assert_int_equal(*(char *)table[slot].p, *(char *)untimed_table[slot].p);
        }
        close_all();
    }
}

static void test_a_sixteenth_is_sampled(void **state)
{
    (void)state;
    struct latency_thread part;
    open_all(LATENCY_OF_SAMPLE);
    add_random_steps(6);
    latency_thread_begin(&latency, &part, STEPS_ANY_THREAD);
    call_all(&part);
    double expected = (double)steps.count / 16;
    assert_true((double)samples() > 0.9 * expected && (double)samples() < 1.1 * expected);
    uint64_t by_size = 0;
    for (unsigned i = 0; i < LATENCY_SIZES; i++)
        by_size += histogram_total(&latency.by_size[i]);
    assert_int_equal(by_size, samples());
    close_all();
}

/* Which of the first calls of a thread a seed takes, one bit a call. */
static uint64_t sampled_by(uint64_t seed, uint32_t thread)
{
    enum { FIRST = 60 };
    struct latency_thread part;
    uint64_t taken = 0;
    open_seeded(LATENCY_OF_SAMPLE, seed);
    for (unsigned i = 0; i < FIRST; i++)
        add(i % 2 ? TRACE_FREE : TRACE_MALLOC, 0, i % 2 ? 0 : 16);
    const uint64_t *at = steps.words;
    latency_thread_begin(&latency, &part, thread);
    for (unsigned i = 0; i < FIRST; i++) {
        taken |= (uint64_t)(part.until_sample == 1) << i;
        assert_true(latency_call(&latency, &part, table, &at));
    }
    close_all();
    return taken;
}

/* Of 50 pairs of seeds two may by chance take the same few calls, but not more. */
static void test_seeds_take_other_calls(void **state)
{
    (void)state;
    unsigned same = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_int_equal(sampled_by(seed, 1), sampled_by(seed, 1));
        same += sampled_by(seed, 1) == sampled_by(seed + 1, 1);
        same += sampled_by(seed, 1) == sampled_by(seed, 2);
    }
    assert_in_range(same, 0, 2);
}

/* Each of the first calls of a thread is sampled in a sixteenth of the threads. */
static void test_each_call_is_as_likely_a_sample(void **state)
{
    (void)state;
    enum { THREADS = 8000, FIRST = 48, MEAN = THREADS / 16 };
    unsigned sampled[FIRST] = {0};
    uint64_t sum = 0;
    open_all(LATENCY_OF_SAMPLE);
    for (unsigned i = 0; i < FIRST; i++)
        add(i % 2 ? TRACE_FREE : TRACE_MALLOC, 0, i % 2 ? 0 : 16);
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        struct latency_thread part;
        const uint64_t *at = steps.words;
        latency_thread_begin(&latency, &part, thread);
        for (unsigned i = 0; i < FIRST; i++) {
            bool is_due = part.until_sample == 1;
            assert_true(latency_call(&latency, &part, table, &at));
            sampled[i] += is_due;
            sum += is_due;
        }
    }
    for (unsigned i = 0; i < FIRST; i++)
        assert_in_range(sampled[i], MEAN - MEAN / 4, MEAN + MEAN / 4);
    assert_int_equal(samples(), sum);
    close_all();
}

/* The calls that wait are in the sum whole, and what is done between calls is not: on a busy
   machine one attempt in many is undisturbed. */
static void test_the_sum_is_of_the_calls_alone(void **state)
{
    (void)state;
    bool found = false;
    open_all(LATENCY_OF_ALL);
    for (uint32_t i = 0; i < 10; i++)
        add(TRACE_VALLOC, i, i);
    for (int i = 0; i < ATTEMPTS && !found; i++) {
        struct latency_thread part;
        const uint64_t *at = steps.words;
        free_all(table);
        latency_thread_begin(&latency, &part, 0);
        latency.cycles = latency.preempted = 0;
        sched_yield();
        while (at != steps.words + steps.used) {
            uint64_t until = now_ns() + WAIT_NS;
            assert_true(latency_call(&latency, &part, table, &at));
            while (now_ns() < until)
                continue;
        }
        latency_thread_end(&latency, &part);
        double waits = latency_to_ns(&latency, latency.cycles) / WAIT_NS;
        assert_true(waits > 0.98 * 45 || latency.preempted > 0);
        found = latency.preempted == 0 && waits < 1.02 * 45;
    }
    assert_true(found);
    close_all();
}

/* Quick calls, and among them, in a muddled order, 15 that wait; call i is the slow one of so many
   bytes, or 0. */
static void add_slow_calls(uint64_t slow[CALLS])
{
    enum { SLOW = 15, APART = CALLS / SLOW };
    memset(slow, 0, CALLS * sizeof(slow[0]));
    for (size_t i = 0; i < CALLS; i++) {
        bool waits = i % APART == 7;
        slow[i] = waits ? 1 + i / APART * 4 % SLOW : 0;
        if (waits)
            add(TRACE_VALLOC, 1 + (uint32_t)(i / APART), slow[i]);
        else
            add(TRACE_REALLOC, 0, 16 + i % 64);
    }
}

/* Whether the worst calls are the ten slowest, the least bad first. */
static bool are_the_slowest(const struct worst_call *worst, const uint64_t slow[CALLS])
{
    for (unsigned i = 0; i < LATENCY_WORST; i++) {
        const struct worst_call *call = &worst[i];
        if (i > 0)
            assert_true(call->cycles >= worst[i - 1].cycles);
        assert_true(call->index < CALLS);
        if (call->kind == TRACE_VALLOC) {
            assert_int_equal(call->size, slow[call->index]);
            assert_true((double)call->cycles * latency.counter.ns >
                        0.98 * (double)(call->size * WAIT_NS));
        }
        if (call->kind != TRACE_VALLOC || call->size != 6 + i)
            return false;
    }
    return true;
}

/* Of all attempts only one needs to be undisturbed; each begins with a fresh slice of time. */
static void test_the_worst_ten_are_kept_in_order(void **state)
{
    (void)state;
    static uint64_t slow[CALLS];
    bool found = false;
    open_all(LATENCY_OF_WORST);
    add_slow_calls(slow);
    for (int i = 0; i < ATTEMPTS && !found; i++) {
        struct latency_thread part;
        free_all(table);
        latency_thread_begin(&latency, &part, 3);
        sched_yield();
        call_all(&part);
        assert_int_equal(part.steps, CALLS);
        assert_int_equal(samples(), 0);
        assert_int_equal(part.worst[0].thread, 3);
        found = are_the_slowest(part.worst, slow);
    }
    assert_true(found);
    close_all();
}

static void test_worst_calls_of_threads_are_joined(void **state)
{
    (void)state;
    enum { THREADS = 50 };
    struct prng prng = prng_of_seed(3, 0);
    uint64_t all[THREADS * LATENCY_WORST], count = 0;
    assert_true(latency_open(&latency, TOUCH_NONE, LATENCY_OF_WORST, 0));
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        struct latency_thread part;
        latency_thread_begin(&latency, &part, thread);
        part.preempted = thread;
        for (unsigned i = 0; i < thread % (LATENCY_WORST + 1); i++) {
            uint64_t cycles = all[count++] = 1 + prng_below(&prng, 1 << 30);
            part.worst[LATENCY_WORST - 1 - i] = (struct worst_call){cycles, .thread = thread};
        }
        latency_thread_end(&latency, &part);
        assert_int_equal(part.worst[LATENCY_WORST - 1].cycles, 0);
        assert_int_equal(part.preempted, 0);
    }
    for (unsigned i = LATENCY_WORST; i-- > 0;) {
        uint64_t most = 0, at = 0;
        for (uint64_t k = 0; k < count; k++)
            if (all[k] > most)
                most = all[at = k];
        assert_int_equal(latency.worst[i].cycles, most);
        all[at] = 0;
    }
    assert_int_equal(latency.preempted, THREADS * (THREADS - 1) / 2);
    latency_close(&latency);
}

static void replay_on_threads(struct streams *streams, struct lanes *lanes, enum latency_aim aim)
{
    assert_true(streams_open(streams, &ops.totals, 100));
    assert_true(lanes_open(lanes, streams, TOUCH_PAGE, false));
    assert_true(latency_open(&latency, TOUCH_PAGE, aim, 0));
    lanes->latency = &latency;
    streams_begin_part(streams);
    for (size_t i = 0; i < ops.count; i++)
        assert_true(streams_add(streams, &ops.op[i]));
    assert_true(streams_end_part(streams));
    assert_true(lanes_make_room(lanes));
    assert_true(lanes_run_part(lanes));
}

static void close_threads(struct streams *streams, struct lanes *lanes)
{
    lanes_drain(lanes);
    lanes_close(lanes);
    streams_close(streams);
    latency_close(&latency);
}

/* Each of the worst calls is one that its thread makes there. */
static void assert_calls_are_of_the_trace(const struct lanes *lanes)
{
    for (unsigned i = 0; i < LATENCY_WORST; i++) {
        const struct worst_call *call = &latency.worst[i];
        assert_true(call->thread < ops.totals.threads);
        assert_true(call->index < lanes->figures[call->thread].ops);
        uint64_t index = 0;
        size_t at = 0;
        while (ops.op[at].thread != call->thread || !op_has_step(&ops.op[at]) ||
               index++ < call->index)
            at++;
        struct step step = step_from_op(&ops.op[at], LAST_SLOT);
        assert_int_equal(call->kind, step.kind);
        if (step.kind != TRACE_FREE)
            assert_int_equal(call->size, step_bytes(&step));
    }
}

static void test_threads_are_timed_together(void **state)
{
    (void)state;
    static struct streams streams;
    static struct lanes lanes;
    uint64_t calls = 0;
    random_ops_make(&ops, 9, 6, 12);
    for (size_t i = 0; i < ops.count; i++)
        calls += op_has_step(&ops.op[i]);
    replay_on_threads(&streams, &lanes, LATENCY_OF_SAMPLE);
    assert_int_equal(lanes.ops, calls);
    assert_in_range(samples(), calls / 16 * 4 / 5, calls / 16 * 6 / 5);
    assert_int_equal(latency.worst[LATENCY_WORST - 1].cycles, 0);
    close_threads(&streams, &lanes);
    replay_on_threads(&streams, &lanes, LATENCY_OF_WORST);
    assert_int_equal(lanes.ops, calls);
    assert_int_equal(samples(), 0);
    assert_true(latency.worst[0].cycles > 0);
    assert_calls_are_of_the_trace(&lanes);
    close_threads(&streams, &lanes);
    replay_on_threads(&streams, &lanes, LATENCY_OF_ALL);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < streams.threads; i++)
        sum += lanes.figures[i].call_cycles;
    assert_true(sum > 0);
    assert_int_equal(latency.cycles, sum);
    assert_int_equal(samples(), 0);
    close_threads(&streams, &lanes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_counter_is_calibrated),
        cmocka_unit_test(test_reading_costs_nothing_and_time_is_never_negative),
        cmocka_unit_test(test_a_timed_call_does_what_it_does_untimed),
        cmocka_unit_test(test_a_sixteenth_is_sampled),
        cmocka_unit_test(test_each_call_is_as_likely_a_sample),
        cmocka_unit_test(test_seeds_take_other_calls),
        cmocka_unit_test(test_the_sum_is_of_the_calls_alone),
        cmocka_unit_test(test_the_worst_ten_are_kept_in_order),
        cmocka_unit_test(test_worst_calls_of_threads_are_joined),
        cmocka_unit_test(test_threads_are_timed_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
