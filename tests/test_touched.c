/*
 * How much of each block a replay touches where the trace tells how much the program touched: by
 * the bytes of zeroed blocks that are not zero any more.
 */
#include "bench/replayer.h"
#include "bench/steps.h"
#include "cmocka_all.h"

enum { PAGE = 4096, LAST_SLOT = 4 };

static struct steps steps;
static struct touched touched;
static struct replayer replayer;

static int setup(void **state)
{
    (void)state;
    touched = (struct touched){.is_asked = true};
    bool ready = steps_open(&steps, 1) && replayer_open(&replayer, LAST_SLOT, TOUCH_RECORDED, true);
    steps.touched = &touched;
    replayer.touched = &touched;
    return ready ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    replayer_drain(&replayer);
    replayer_close(&replayer);
    steps_close(&steps);
    touched_close(&touched);
    return 0;
}

/* present: one more than the bytes, as trace.h has it; 0: unknown. */
static void add(enum trace_kind kind, uint32_t slot, uint64_t size, uint64_t present)
{
    struct trace_op op = {.kind = kind, .slot = slot, .size = size, .count = 1, .present = present};
    assert_true(steps_add(&steps, &op, LAST_SLOT));
}

/* Executes the steps up to the last `left`, then looks, then the others. Bytes of the slot's block
   that are touched. */
static size_t touched_in(uint32_t slot, uint64_t left)
{
    size_t n = 0;
    const uint64_t *end = steps.words + steps.used;
    const uint64_t *stop = steps_skip(steps.words, steps.count - left);
    touched.words = steps.words;
    assert_ptr_equal(replayer_run(&replayer, steps.words, stop), stop);
    const char *p = replayer.table[slot].p;
    for (size_t i = 0; i < replayer.table[slot].size; i++)
        n += p[i] != 0;
    assert_ptr_equal(replayer_run(&replayer, stop, end), end);
    steps_clear(&steps);
    touched_clear(&touched);
    return n;
}

static void test_as_many_pages_as_were_present(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 1 + 3 * PAGE);
    size_t n = touched_in(0, 1);
    assert_in_range(n, 3, 4); /* one more where the block begins inside a page */
}

static void test_nothing_present_is_nothing_touched(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 1);
    assert_int_equal(touched_in(0, 1), 0);
}

static void test_what_is_not_known_is_touched_in_each_page(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 0);
    assert_in_range(touched_in(0, 1), 10, 11);
    add(TRACE_CALLOC, 1, 10 * PAGE, 0); /* never freed */
    assert_in_range(touched_in(1, 0), 10, 11);
}

static void test_a_block_freed_in_a_later_part_is_not_known(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    assert_in_range(touched_in(0, 0), 10, 11);
    add(TRACE_FREE, 0, 0, 1);
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 1 + PAGE);
    assert_in_range(touched_in(0, 1), 1, 2);
}

static void test_resizing_tells_of_the_block_before(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_REALLOC, 0, 20 * PAGE, 1 + 2 * PAGE);
    add(TRACE_FREE, 0, 0, 1 + 5 * PAGE);
    assert_in_range(touched_in(0, 2), 2, 3);
}

static void test_more_than_the_block_is_the_block(void **state)
{
    (void)state;
    add(TRACE_CALLOC, 0, 100, 0);
    add(TRACE_FREE, 0, 0, UINT64_MAX);
    assert_in_range(touched_in(0, 1), 1, 2);
}

static void test_the_model_writes_what_was_touched(void **state)
{
    (void)state;
    replayer.models_program = true;
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 1 + 3 * PAGE);
    assert_in_range(touched_in(0, 1), 3 * PAGE, 3 * PAGE);
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 0);
    assert_int_equal(touched_in(0, 1), 10 * PAGE);
    add(TRACE_CALLOC, 0, 100 * PAGE, 0);
    add(TRACE_FREE, 0, 0, 1 + 50 * PAGE);
    assert_in_range(touched_in(0, 1), MODEL_MOST + 33, MODEL_MOST + 34);
    add(TRACE_CALLOC, 0, 10 * PAGE, 0);
    add(TRACE_REALLOC, 0, 20 * PAGE, 1 + 2 * PAGE);
    add(TRACE_FREE, 0, 0, 1 + 5 * PAGE);
    assert_int_equal(touched_in(0, 2), 2 * PAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_as_many_pages_as_were_present),
        TEST(test_nothing_present_is_nothing_touched),
        TEST(test_what_is_not_known_is_touched_in_each_page),
        TEST(test_a_block_freed_in_a_later_part_is_not_known),
        TEST(test_resizing_tells_of_the_block_before),
        TEST(test_more_than_the_block_is_the_block),
        TEST(test_the_model_writes_what_was_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
