/*
 * The replay loop, on whatever malloc the test is linked with: which calls it makes, which bytes it
 * touches, what it counts, where it stops. Nothing here depends on how long anything takes.
 */
#include "bench/replayer.h"
#include "bench/steps.h"
#include "cmocka_all.h"

#include <stdlib.h>

enum { PAGE = 4096, LAST_SLOT = 4 };

/* So that the sanitizer's malloc returns NULL, as others do, where no memory is to be had. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static struct steps steps;
static struct replayer replayer;

static int setup(void **state)
{
    (void)state;
    bool ready = steps_open(&steps, 1) && replayer_open(&replayer, LAST_SLOT, TOUCH_PAGE, true);
    return ready ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    replayer_drain(&replayer);
    replayer_close(&replayer);
    steps_close(&steps);
    return 0;
}

static void add(enum trace_kind kind, uint32_t slot, uint64_t size, uint64_t count)
{
    struct trace_op op = {.kind = kind, .slot = slot, .size = size, .count = count};
    assert_true(steps_add(&steps, &op, LAST_SLOT));
}

static void run_all(void)
{
    const uint64_t *end = steps.words + steps.used;
    assert_ptr_equal(replayer_run(&replayer, steps.words, end), end);
    steps_clear(&steps);
}

static void test_makes_resizes_and_frees(void **state)
{
    (void)state;
    add(TRACE_MALLOC, 0, 100, 0);
    add(TRACE_MALLOC, 1, 0, 0);
    run_all();
    assert_non_null(replayer.table[0].p);
    assert_int_equal(replayer.table[0].size, 100);
    assert_int_equal(replayer.live, 100);
    add(TRACE_REALLOC, 0, 5000, 0);
    run_all();
    assert_int_equal(replayer.live, 5000);
    add(TRACE_FREE, 0, 0, 0);
    add(TRACE_FREE, 1, 0, 0);
    run_all();
    assert_null(replayer.table[0].p);
    assert_int_equal(replayer.table[0].size, 0);
    assert_int_equal(replayer.live, 0);
}

static void test_calloc_live_is_the_product(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 24, 10);
    run_all();
    assert_int_equal(replayer.live, 240);
    assert_int_equal(replayer.table[0].size, 240);
}

static void test_aligned_family_is_aligned(void **state)
{
    (void)state;
    add(TRACE_ALIGNED_ALLOC, 0, 512, 256);
    add(TRACE_MEMALIGN, 1, 512, 1024);
    add(TRACE_POSIX_MEMALIGN, 2, 512, 512);
    add(TRACE_VALLOC, 3, 512, 0);
    run_all();
    const uintptr_t alignments[] = {256, 1024, 512, PAGE};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal((uintptr_t)replayer.table[i].p % alignments[i], 0);
    assert_int_equal(replayer.live, 2048);
}

static void test_free_and_realloc_of_null(void **state)
{
    (void)state;
    struct trace_op nothing = {.kind = TRACE_FREE, .slot = TRACE_NO_SLOT, .flags = TRACE_NULL};
    struct trace_op made = {.kind = TRACE_REALLOC, .slot = 2, .size = 64, .flags = TRACE_NULL};
    assert_true(steps_add(&steps, &nothing, LAST_SLOT));
    assert_true(steps_add(&steps, &made, LAST_SLOT));
    run_all();
    assert_non_null(replayer.table[2].p);
    assert_int_equal(replayer.live, 64);
}

static void test_stops_at_the_call_that_fails(void **state)
{
    (void)state;
    add(TRACE_MALLOC, 0, 10, 0);
    add(TRACE_MALLOC, 1, UINT64_C(1) << 62, 0);
    add(TRACE_MALLOC, 2, 10, 0);
    const uint64_t *end = steps.words + steps.used;
    assert_ptr_equal(replayer_run(&replayer, steps.words, end), steps.words + 1);
    assert_non_null(replayer.table[0].p);
    assert_null(replayer.table[1].p);
    assert_null(replayer.table[2].p);
}

static void test_failed_realloc_keeps_the_block(void **state)
{
    (void)state;
    add(TRACE_MALLOC, 0, 10, 0);
    add(TRACE_REALLOC, 0, UINT64_C(1) << 62, 0);
    assert_ptr_equal(replayer_run(&replayer, steps.words, steps.words + steps.used),
                     steps.words + 1);
    assert_non_null(replayer.table[0].p);
    assert_int_equal(replayer.table[0].size, 10);
}

/* Bytes of a zeroed block of four pages and a bit that are not zero after its allocation. */
static size_t touched_by(enum touch touch, size_t *wrong)
{
    const size_t bytes = 4 * PAGE + 100;
    size_t touched = 0;
    replayer.touch = touch;
    add(TRACE_CALLOC, 0, bytes, 1);
    run_all();
    const char *p = replayer.table[0].p;
    *wrong = 0;
    for (size_t i = 0; i < bytes; i++) {
        touched += p[i] != 0;
        *wrong += p[i] != 0 && i > 0 && (uintptr_t)(p + i) % PAGE != 0;
    }
    return touched;
}

static void test_touch_none_and_first(void **state)
{
    (void)state;
    size_t wrong;
    assert_int_equal(touched_by(TOUCH_NONE, &wrong), 0);
    add(TRACE_FREE, 0, 0, 0);
    assert_int_equal(touched_by(TOUCH_FIRST, &wrong), 1);
    assert_int_equal(((char *)replayer.table[0].p)[0], 1);
}

static void test_touch_page_writes_to_each_page_once(void **state)
{
    (void)state;
    size_t wrong;
    size_t touched = touched_by(TOUCH_PAGE, &wrong);
    const char *p = replayer.table[0].p;
    uintptr_t first = (uintptr_t)p / PAGE;
    uintptr_t last = ((uintptr_t)p + replayer.table[0].size - 1) / PAGE;
    assert_int_equal(touched, last - first + 1);
    assert_int_equal(wrong, 0);
}

static void test_touch_all_writes_everywhere(void **state)
{
    (void)state;
    size_t wrong;
    assert_int_equal(touched_by(TOUCH_ALL, &wrong), 4 * PAGE + 100);
}

static void test_resized_block_is_touched_where_it_is_new(void **state)
{
    (void)state;
    const size_t old_bytes = 3 * PAGE;
    replayer.touch = TOUCH_NONE;
    add(TRACE_CALLOC, 0, old_bytes, 1);
    run_all();
    replayer.touch = TOUCH_ALL;
    add(TRACE_REALLOC, 0, 2 * old_bytes, 0);
    run_all();
    const char *p = replayer.table[0].p;
    for (size_t i = 0; i < 2 * old_bytes; i++)
        assert_int_equal(p[i], i < old_bytes ? 0 : 1);
}

static void assert_new_pages_are_touched(size_t old_bytes, size_t new_bytes)
{
    replayer.touch = TOUCH_NONE;
    add(TRACE_CALLOC, 0, old_bytes, 1);
    run_all();
    replayer.touch = TOUCH_PAGE;
    add(TRACE_REALLOC, 0, new_bytes, 0);
    run_all();
    const char *p = replayer.table[0].p;
    for (size_t i = 0; i < old_bytes; i++)
        assert_int_equal(p[i], 0);
    for (size_t i = old_bytes; i < new_bytes; i++)
        if ((uintptr_t)(p + i) % PAGE == 0)
            assert_int_equal(p[i], 1);
}

static void test_resized_block_gets_one_byte_in_each_new_page(void **state)
{
    (void)state;
    assert_new_pages_are_touched(PAGE + 1, 5 * PAGE);
}

/* The C library's large blocks begin 16 bytes behind a page, so the new part begins at one. */
static void test_resized_block_is_touched_where_the_new_part_begins(void **state)
{
    (void)state;
    assert_new_pages_are_touched(64 * PAGE - 16, 70 * PAGE);
}

/* Bytes written as the model does after a make of `bytes`, which come zeroed. */
static void assert_model_writes(size_t bytes, size_t written)
{
    replayer.models_program = true;
    add(TRACE_CALLOC, 0, bytes, 1);
    run_all();
    const char *p = replayer.table[0].p;
    for (size_t i = 0; i < bytes; i++)
        if (i < written || (uintptr_t)(p + i) % PAGE != 0)
            assert_int_equal(p[i], i < written);
    add(TRACE_FREE, 0, 0, 0);
    run_all();
}

static void test_model_writes_the_beginning_of_what_is_made(void **state)
{
    (void)state;
    assert_model_writes(1, 1);
    assert_model_writes(MODEL_MOST, MODEL_MOST);
    assert_model_writes(MODEL_MOST + 3 * PAGE, MODEL_MOST);
}

static void test_model_writes_only_what_is_new_of_what_is_resized(void **state)
{
    (void)state;
    replayer.models_program = true;
    replayer.touch = TOUCH_NONE;
    add(TRACE_MALLOC, 0, 100, 0);
    run_all();
    memset(replayer.table[0].p, 7, 100);
    add(TRACE_REALLOC, 0, 100 + MODEL_MOST, 0);
    run_all();
    const char *p = replayer.table[0].p;
    for (size_t i = 0; i < 100 + MODEL_MOST; i++)
        assert_int_equal(p[i], i < 100 ? 7 : 1);
    add(TRACE_REALLOC, 0, 50, 0);
    run_all();
    assert_int_equal(((char *)replayer.table[0].p)[49], 7);
}

static void test_model_bears_no_block_and_no_bytes(void **state)
{
    (void)state;
    struct trace_op nothing = {.kind = TRACE_FREE, .slot = TRACE_NO_SLOT, .flags = TRACE_NULL};
    struct trace_op made = {.kind = TRACE_REALLOC, .slot = 2, .size = 64, .flags = TRACE_NULL};
    replayer.models_program = true;
    assert_true(steps_add(&steps, &nothing, LAST_SLOT));
    assert_true(steps_add(&steps, &made, LAST_SLOT));
    add(TRACE_MALLOC, 0, 0, 0);
    add(TRACE_FREE, 0, 0, 0);
    add(TRACE_MALLOC, 1, UINT64_C(1) << 62, 0);
    assert_ptr_equal(replayer_run(&replayer, steps.words, steps.words + steps.used),
                     steps.words + 4);
    assert_int_equal(((char *)replayer.table[2].p)[63], 1);
}

static void test_cost_adds_up(void **state)
{
    (void)state;
    add(TRACE_MALLOC, 0, 64 * PAGE, 0);
    run_all();
    uint64_t first = replayer.cost.real_time_ns;
    assert_true(first > 0);
    assert_true(replayer.cost.minor_faults > 0);
    add(TRACE_FREE, 0, 0, 0);
    run_all();
    assert_true(replayer.cost.real_time_ns > first);
}

static void test_drain_frees_what_is_left(void **state)
{
    (void)state;
    add(TRACE_MALLOC, 0, 10, 0);
    add(TRACE_MALLOC, 3, 10, 0);
    run_all();
    replayer_drain(&replayer);
    assert_null(replayer.table[0].p);
    assert_null(replayer.table[3].p);
    assert_int_equal(replayer.live, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_makes_resizes_and_frees),
        TEST(test_calloc_live_is_the_product),
        TEST(test_aligned_family_is_aligned),
        TEST(test_free_and_realloc_of_null),
        TEST(test_stops_at_the_call_that_fails),
        TEST(test_failed_realloc_keeps_the_block),
        TEST(test_touch_none_and_first),
        TEST(test_touch_page_writes_to_each_page_once),
        TEST(test_touch_all_writes_everywhere),
        TEST(test_resized_block_is_touched_where_it_is_new),
        TEST(test_resized_block_gets_one_byte_in_each_new_page),
        TEST(test_resized_block_is_touched_where_the_new_part_begins),
        TEST(test_model_writes_the_beginning_of_what_is_made),
        TEST(test_model_writes_only_what_is_new_of_what_is_resized),
        TEST(test_model_bears_no_block_and_no_bytes),
        TEST(test_cost_adds_up),
        TEST(test_drain_frees_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
