/*
 * From trace operations to steps: what is kept, what is skipped, and that step_take gives back what
 * steps_add was told.
 */
#include "bench/steps.h"
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NULL_SLOT = 77 };

static struct steps steps;

static int setup(void **state)
{
    (void)state;
    return steps_open(&steps, 1) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    steps_close(&steps);
    return 0;
}

static void add(struct trace_op op)
{
    assert_true(steps_add(&steps, &op, NULL_SLOT));
}

static struct step only_step(void)
{
    const uint64_t *at = steps.words;
    assert_int_equal(steps.count, 1);
    struct step step = step_take(&at);
    assert_ptr_equal(at, steps.words + steps.used);
    return step;
}

static void test_malloc_is_one_word(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_MALLOC, .slot = 5, .size = 100});
    struct step step = only_step();
    assert_int_equal(steps.used, 1);
    assert_int_equal(step.kind, TRACE_MALLOC);
    assert_int_equal(step.slot, 5);
    assert_int_equal(step.size, 100);
}

static void test_sizes_round_trip_at_the_edge_of_the_field(void **state)
{
    (void)state;
    const uint64_t sizes[] = {
        0,         STEP_SIZE_LONG - 1, STEP_SIZE_LONG, STEP_SIZE_LONG + 1ULL, UINT64_C(1) << 40,
        UINT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        steps_clear(&steps);
        add((struct trace_op){.kind = TRACE_MALLOC, .slot = UINT32_MAX - 1, .size = sizes[i]});
        struct step step = only_step();
        assert_int_equal(step.size, sizes[i]);
        assert_int_equal(step.slot, UINT32_MAX - 1);
    }
}

static void test_operand_and_long_size_follow_in_order(void **state)
{
    (void)state;
    add((struct trace_op){
        .kind = TRACE_POSIX_MEMALIGN, .slot = 1, .size = UINT64_C(1) << 30, .count = 4096});
    struct step step = only_step();
    assert_int_equal(step.kind, TRACE_POSIX_MEMALIGN);
    assert_int_equal(step.operand, 4096);
    assert_int_equal(step.size, UINT64_C(1) << 30);
}

static void test_every_kind_keeps_its_operand(void **state)
{
    (void)state;
    const enum trace_kind kinds[] = {TRACE_MALLOC,        TRACE_CALLOC,   TRACE_REALLOC,
                                     TRACE_ALIGNED_ALLOC, TRACE_MEMALIGN, TRACE_POSIX_MEMALIGN,
                                     TRACE_VALLOC,        TRACE_PVALLOC};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        steps_clear(&steps);
        add((struct trace_op){.kind = kinds[i], .slot = 3, .size = 48, .count = 16});
        struct step step = only_step();
        assert_int_equal(step.kind, kinds[i]);
        assert_int_equal(step.size, 48);
        if (step_has_operand(step.kind))
            assert_int_equal(step.operand, 16);
    }
}

static void test_calloc_bytes_are_the_product(void **state)
{
    (void)state;
    struct step step = {.kind = TRACE_CALLOC, .size = 12, .operand = 10};
    assert_int_equal(step_bytes(&step), 120);
    step.kind = TRACE_ALIGNED_ALLOC;
    assert_int_equal(step_bytes(&step), 12);
}

static void test_realloc_to_zero_is_a_free(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_REALLOC, .slot = 9, .size = 0});
    struct step step = only_step();
    assert_int_equal(step.kind, TRACE_FREE);
    assert_int_equal(step.slot, 9);
}

static void test_realloc_of_null_stays_a_realloc(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_REALLOC, .slot = 9, .size = 0, .flags = TRACE_NULL});
    assert_int_equal(only_step().kind, TRACE_REALLOC);
}

static void test_free_of_null_goes_to_the_null_slot(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_FREE, .slot = TRACE_NO_SLOT, .flags = TRACE_NULL});
    struct step step = only_step();
    assert_int_equal(step.kind, TRACE_FREE);
    assert_int_equal(step.slot, NULL_SLOT);
}

static void test_failed_calls_are_skipped(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_MALLOC, .slot = TRACE_NO_SLOT, .flags = TRACE_FAILED});
    add((struct trace_op){.kind = TRACE_REALLOC, .slot = 2, .size = 8, .flags = TRACE_FAILED});
    assert_int_equal(steps.count, 0);
    assert_int_equal(steps.used, 0);
}

static void test_threads_have_no_steps(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_THREAD_START, .slot = TRACE_NO_SLOT});
    add((struct trace_op){.kind = TRACE_THREAD_END, .slot = TRACE_NO_SLOT});
    assert_int_equal(steps.count, 0);
}

static void test_skip_passes_over_long_steps(void **state)
{
    (void)state;
    add((struct trace_op){.kind = TRACE_CALLOC, .slot = 0, .size = UINT64_C(1) << 32, .count = 1});
    add((struct trace_op){.kind = TRACE_MALLOC, .slot = 1, .size = 1});
    add((struct trace_op){.kind = TRACE_FREE, .slot = 0});
    assert_int_equal(steps_skip(steps.words, 1) - steps.words, 3);
    assert_ptr_equal(steps_skip(steps.words, 3), steps.words + steps.used);
}

/* A trace of `pairs` mallocs and frees, with a failed call behind the first pair. */
static void write_trace(const char *path, unsigned pairs)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer = trace_writer_open(path, "source=imported\n", error);
    assert_non_null(writer);
    struct trace_op start = {.kind = TRACE_THREAD_START, .slot = TRACE_NO_SLOT};
    struct trace_op make = {.kind = TRACE_MALLOC, .slot = 0, .size = 32};
    struct trace_op end = {.kind = TRACE_FREE, .slot = 0};
    struct trace_op failed = {
        .kind = TRACE_MALLOC, .slot = TRACE_NO_SLOT, .size = 1, .flags = TRACE_FAILED};
    assert_true(trace_writer_add(writer, &start));
    for (unsigned i = 0; i < pairs; i++) {
        assert_true(trace_writer_add(writer, &make));
        assert_true(trace_writer_add(writer, &end));
        if (i == 0)
            assert_true(trace_writer_add(writer, &failed));
    }
    assert_true(trace_writer_finish(writer, "", error));
}

static void temporary_name(char path[64])
{
    snprintf(path, 64, "/tmp/test_steps.%ld.trace", (long)getpid());
}

static void test_source_reads_in_parts(void **state)
{
    (void)state;
    struct steps_source source;
    struct steps_fault fault;
    char path[64];
    uint64_t total = 0;
    unsigned parts = 0;
    temporary_name(path);
    write_trace(path, 100000);
    assert_true(steps_source_open(&source, path, &fault));
    unlink(path);
    assert_int_equal(steps_source_count(&source), 200000);
    assert_int_equal(source.null_slot, 1);
    while (!source.ended) {
        steps_clear(&steps);
        assert_true(steps_source_read(&source, &steps, 70000, &fault));
        total += steps.count;
        parts++;
    }
    steps_source_close(&source);
    assert_int_equal(total, 200000);
    assert_int_equal(source.skipped_ops, 1);
    assert_in_range(parts, 2, 4);
}

static void hash(struct checksum *checksum, const struct step *steps_of, size_t n,
                 char text[CHECKSUM_TEXT_BYTES])
{
    checksum_open(checksum);
    checksum_add(checksum, steps_of, n);
    checksum_write(checksum, text);
}

/* Computed by the release before this one, of the words that it replayed. */
static void test_checksums_are_those_of_older_results(void **state)
{
    (void)state;
    const struct step work[] = {
        {.kind = TRACE_MALLOC, .slot = 0, .size = 100},
        {.kind = TRACE_CALLOC, .slot = 1, .size = 24, .operand = 10},
        {.kind = TRACE_REALLOC, .slot = 0, .size = UINT64_C(1) << 30},
        {.kind = TRACE_MEMALIGN, .slot = 2, .size = 512, .operand = 64},
        {.kind = TRACE_FREE, .slot = 0},
        {.kind = TRACE_FREE, .slot = 1},
    };
    struct checksum checksum;
    char text[CHECKSUM_TEXT_BYTES];
    hash(&checksum, work, sizeof(work) / sizeof(work[0]), text);
    assert_string_equal(text, "0ad11114ab3c2dd7");
}

static void test_missing_trace_is_unusable(void **state)
{
    (void)state;
    struct steps_source source;
    struct steps_fault fault = {.unusable = false};
    assert_false(steps_source_open(&source, "/nowhere/x.trace", &fault));
    steps_source_close(&source);
    assert_true(fault.unusable);
    assert_string_equal(fault.error, "/nowhere/x.trace: No such file or directory");
}

static void test_find_op_counts_what_has_no_step(void **state)
{
    (void)state;
    char path[64];
    temporary_name(path);
    write_trace(path, 100000);
    /* 1 is the thread's start, 2 and 3 the first pair, 4 failed. */
    assert_int_equal(steps_find_op(path, STEPS_ANY_THREAD, 0).number, 2);
    assert_int_equal(steps_find_op(path, STEPS_ANY_THREAD, 1).number, 3);
    assert_int_equal(steps_find_op(path, STEPS_ANY_THREAD, 2).number, 5);
    assert_int_equal(steps_find_op(path, STEPS_ANY_THREAD, 199999).number, 200002);
    assert_int_equal(steps_find_op(path, STEPS_ANY_THREAD, 200000).number, 0);
    assert_int_equal(steps_find_op(path, 0, 2).number, 5);
    assert_int_equal(steps_find_op(path, 1, 0).number, 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_malloc_is_one_word, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes_round_trip_at_the_edge_of_the_field, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_operand_and_long_size_follow_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_every_kind_keeps_its_operand, setup, teardown),
        cmocka_unit_test(test_calloc_bytes_are_the_product),
        cmocka_unit_test_setup_teardown(test_realloc_to_zero_is_a_free, setup, teardown),
        cmocka_unit_test_setup_teardown(test_realloc_of_null_stays_a_realloc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_of_null_goes_to_the_null_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_calls_are_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_have_no_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_skip_passes_over_long_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_reads_in_parts, setup, teardown),
        cmocka_unit_test(test_checksums_are_those_of_older_results),
        cmocka_unit_test(test_missing_trace_is_unusable),
        cmocka_unit_test(test_find_op_counts_what_has_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
