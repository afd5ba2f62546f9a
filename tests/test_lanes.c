/*
 * Streams on real threads, on the malloc that the test is linked with: all calls are made, none
 * meets another's block, threads end, parts follow each other, and a call that fails ends it all.
 * Under a sanitizer of threads this is the proof that what is handed over is ordered.
 */
#include "bench/lanes.h"
#include "cmocka_all.h"
#include "random_ops.h"

#include <string.h>

/* So that the sanitizer's malloc returns NULL, as others do, where no memory is to be had. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static struct random_ops ops;
static struct streams streams;
static struct lanes lanes;
static bool lanes_models_program; /* in the next replays */

static uint64_t calls_of(const struct random_ops *random)
{
    uint64_t n = 0;
    for (size_t i = 0; i < random->count; i++)
        n += op_has_step(&random->op[i]);
    return n;
}

/* Decodes operations [*at, at most *at + n) as a part. */
static void decode(size_t *at, size_t n)
{
    streams_begin_part(&streams);
    for (size_t i = 0; i < n && *at < ops.count; i++)
        assert_true(streams_add(&streams, &ops.op[(*at)++]));
    assert_true(streams_end_part(&streams));
    assert_true(lanes_make_room(&lanes));
}

static bool replay(size_t part_ops, uint64_t epoch_ops, enum touch touch)
{
    bool done = true;
    assert_true(streams_open(&streams, &ops.totals, epoch_ops));
    assert_true(lanes_open(&lanes, &streams, touch, true));
    lanes.models_program = lanes_models_program;
    for (size_t at = 0; at < ops.count && done;) {
        decode(&at, part_ops);
        done = lanes_run_part(&lanes);
    }
    return done;
}

static void close_all(void)
{
    lanes_drain(&lanes);
    lanes_close(&lanes);
    streams_close(&streams);
}

static int64_t bytes_in_table(void)
{
    int64_t sum = 0;
    for (size_t i = 0; i < lanes.slots_capacity; i++)
        sum += (int64_t)lanes.table[i].size;
    return sum;
}

static void assert_all_was_done(void)
{
    assert_int_equal(lanes.ops, calls_of(&ops));
    assert_int_equal(atomic_load(&lanes.live), bytes_in_table());
}

static void test_threads_do_what_the_trace_says(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        random_ops_make(&ops, seed, 8, 12);
        assert_true(replay(RANDOM_OPS, 100, TOUCH_ALL));
        assert_all_was_done();
        close_all();
    }
}

/* Under a sanitizer this is the proof that the model reads no block that is freed already, be it by
   another thread. */
static void test_a_modelled_program_does_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 30; seed++) {
        random_ops_make(&ops, seed, 8, 12);
        lanes_models_program = true;
        assert_true(replay(RANDOM_OPS, 100, TOUCH_PAGE));
        lanes_models_program = false;
        assert_int_equal(lanes.ops, calls_of(&ops));
        close_all();
    }
}

static void test_threads_stay_from_part_to_part(void **state)
{
    (void)state;
    random_ops_make(&ops, 50, 20, 10);
    assert_true(replay(999, 50, TOUCH_PAGE));
    assert_all_was_done();
    assert_true(atomic_load(&lanes.parts.reached) > 10);
    close_all();
}

static void test_hundreds_of_threads(void **state)
{
    (void)state;
    random_ops_make(&ops, 60, RANDOM_THREADS, 8);
    assert_true(replay(RANDOM_OPS, 256, TOUCH_FIRST));
    assert_all_was_done();
    assert_true(lanes.lane_count > 100);
    close_all();
}

static void test_figures_are_each_threads(void **state)
{
    (void)state;
    uint64_t own[RANDOM_THREADS] = {0};
    random_ops_make(&ops, 70, 5, 8);
    for (size_t i = 0; i < ops.count; i++)
        own[ops.op[i].thread] += op_has_step(&ops.op[i]);
    assert_true(replay(3000, 64, TOUCH_NONE));
    for (uint32_t i = 0; i < ops.totals.threads; i++)
        assert_int_equal(lanes.figures[i].ops, own[i]);
    assert_true(lanes.cost.real_time_ns > 0);
    close_all();
}

/* The call in the middle asks for more than there is. */
static void test_a_call_that_fails_ends_all(void **state)
{
    (void)state;
    size_t victim = RANDOM_OPS / 2;
    uint64_t before = 0;
    random_ops_make(&ops, 80, 6, 8);
    while (ops.op[victim].kind != TRACE_MALLOC || (ops.op[victim].flags & TRACE_FAILED))
        victim++;
    ops.op[victim].size = UINT64_C(1) << 60;
    for (size_t i = 0; i < victim; i++)
        before += ops.op[i].thread == ops.op[victim].thread && op_has_step(&ops.op[i]);
    assert_false(replay(3000, 64, TOUCH_NONE));
    assert_int_equal(lanes.failure.thread, ops.op[victim].thread);
    assert_non_null(lanes.failure.at);
    assert_int_equal(lanes_failure_index(&lanes), before);
    close_all();
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    memset(&ops, 0, sizeof(ops));
    assert_true(streams_open(&streams, &ops.totals, 0));
    assert_true(lanes_open(&lanes, &streams, TOUCH_NONE, false));
    streams_begin_part(&streams);
    assert_true(streams_end_part(&streams));
    assert_true(lanes_run_part(&lanes));
    assert_int_equal(lanes.ops, 0);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_do_what_the_trace_says),
        cmocka_unit_test(test_a_modelled_program_does_the_same),
        cmocka_unit_test(test_threads_stay_from_part_to_part),
        cmocka_unit_test(test_hundreds_of_threads),
        cmocka_unit_test(test_figures_are_each_threads),
        cmocka_unit_test(test_a_call_that_fails_ends_all),
        cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
