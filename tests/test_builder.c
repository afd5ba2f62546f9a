/*
 * The builder: calls named by address become operations named by slot, and what a recording may
 * have missed or inverted is repaired and counted.
 */
#include "cmocka_all.h"
#include "trace_fixture.h"
#include "workloads/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char error[TRACE_ERROR_MAX];
static char losses[1024];
static struct builder_counts counts;

/* "0 malloc 100 s0, 1 free s0 handoff" */
static void op_describe(const struct trace_op *op, FILE *out)
{
    fprintf(out, "%u %s", op->thread, trace_kind_name(op->kind));
    if (op->kind < TRACE_THREAD_START && op->kind != TRACE_FREE)
        fprintf(out, " %lu", (unsigned long)op->size);
    if (op->count != 0)
        fprintf(out, " x%lu", (unsigned long)op->count);
    if (op->slot != TRACE_NO_SLOT)
        fprintf(out, " s%u", op->slot);
    fprintf(out, "%s%s%s, ", op->flags & TRACE_FAILED ? " failed" : "",
            op->flags & TRACE_NULL ? " null" : "", op->flags & TRACE_HANDOFF ? " handoff" : "");
}

static void trace_describe(FILE *out)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    size_t n;
    struct trace_reader *reader = trace_reader_open(path, error);
    assert_non_null(reader);
    snprintf(losses, sizeof losses, "%s", trace_reader_losses(reader));
    do {
        if (!trace_reader_next(reader, ops, &n))
            fail_msg("%s", trace_reader_error(reader));
        for (size_t i = 0; i < n; i++)
            op_describe(&ops[i], out);
    } while (n > 0);
    trace_reader_close(reader);
}

/* Builds a trace of these calls and compares its operations with their description. */
static void assert_built(const struct call *calls, size_t n, const char *want)
{
    char *text;
    size_t bytes;
    struct builder *builder = builder_open(path, "source=recorded\n", 0, error);
    assert_non_null(builder);
    for (size_t i = 0; i < n; i++) {
        if (!builder_add(builder, &calls[i]))
            fail_msg("%s", builder_error(builder));
    }
    counts = builder_counts(builder);
    assert_true(builder_finish(builder, "lost_time=no times", error));
    FILE *out = open_memstream(&text, &bytes);
    trace_describe(out);
    fclose(out);
    assert_string_equal(text, want);
    free(text);
}

#define ASSERT_BUILT(want, ...)                                                                    \
    do {                                                                                           \
        const struct call calls[] = {__VA_ARGS__};                                                 \
        assert_built(calls, sizeof calls / sizeof *calls, want);                                   \
    } while (0)

static struct call call_malloc(uint64_t result, uint64_t size)
{
    return (struct call){.kind = TRACE_MALLOC, .result = result, .size = size};
}

static struct call call_free(uint64_t old)
{
    return (struct call){.kind = TRACE_FREE, .old = old};
}

static struct call call_realloc(uint64_t result, uint64_t old, uint64_t size)
{
    return (struct call){.kind = TRACE_REALLOC, .result = result, .old = old, .size = size};
}

static struct call call_on(uint64_t thread, struct call call)
{
    call.thread = thread;
    return call;
}

static void test_plain_calls(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 10 s0, 0 malloc 20 s1, 0 realloc 30 s0, 0 free s1, "
                 "0 free s0, 0 calloc 8 x3 s0, 0 free null, ",
                 call_malloc(0x10, 10), call_malloc(0x20, 20), call_realloc(0x30, 0x10, 30),
                 call_free(0x20), call_free(0x30),
                 {.kind = TRACE_CALLOC, .result = 0x10, .size = 8, .count = 3}, call_free(0));
    assert_int_equal(counts.ops, 8);
    assert_int_equal(counts.threads, 1);
    assert_string_equal(losses, "lost_time=no times\n");
}

static void test_failed_calls(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 5 failed, 0 malloc 10 s0, 0 realloc 99 s0 failed, "
                 "0 free s0, 0 realloc 7 failed null, 0 posix_memalign 9 x3 failed, ",
                 call_malloc(0, 5), call_malloc(0x10, 10), call_realloc(0, 0x10, 99),
                 call_free(0x10), call_realloc(0, 0, 7),
                 {.kind = TRACE_POSIX_MEMALIGN, .size = 9, .count = 3});
}

static void test_realloc_of_null_allocates(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 realloc 7 s0 null, 0 free s0, ", call_realloc(0x10, 0, 7),
                 call_free(0x10));
}

static void test_realloc_to_nothing_frees(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 realloc 0 s0, 0 malloc 2 s0, ",
                 call_malloc(0x10, 1), call_realloc(0, 0x10, 0), call_malloc(0x10, 2));
    assert_int_equal(counts.repaired_inversions, 0);
}

static void test_realloc_to_nothing_that_returns_a_block(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 realloc 0 s0, 0 malloc 0 s0, 0 free s0, ",
                 call_malloc(0x10, 1), call_realloc(0x10, 0x10, 0), call_free(0x10));
}

static void test_unknown_frees_are_dropped(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 free s0, ", call_free(0x99),
                 call_malloc(0x10, 1), call_free(0x10), call_free(0x10));
    assert_int_equal(counts.unknown_frees, 2);
    assert_string_equal(losses, "lost_time=no times\nunknown_frees=2\n");
}

static void test_unknown_reallocs_allocate(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 realloc 8 s0 null, 0 free s0, 0 realloc 9 failed null, ",
                 call_realloc(0x20, 0x10, 8), call_realloc(0, 0x30, 0), call_free(0x20),
                 call_realloc(0, 0x40, 9));
    assert_int_equal(counts.unknown_reallocs, 3);
    assert_string_equal(losses, "lost_time=no times\nunknown_reallocs=3\n");
}

static void test_address_given_twice(void **state)
{
    (void)state;
    ASSERT_BUILT(
        "0 thread_start, 0 malloc 1 s0, 1 thread_start, 1 free s0 handoff, 1 malloc 2 s0, ",
        call_malloc(0x10, 1), call_on(7, call_malloc(0x10, 2)));
    assert_int_equal(counts.repaired_inversions, 1);
    assert_string_equal(losses, "lost_time=no times\nrepaired_inversions=1\n");
}

static void test_realloc_onto_a_live_address(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 malloc 2 s1, 0 free s1, 0 realloc 3 s0, "
                 "0 free s0, ",
                 call_malloc(0x10, 1), call_malloc(0x20, 2), call_realloc(0x20, 0x10, 3),
                 call_free(0x20));
    assert_int_equal(counts.repaired_inversions, 1);
}

static void test_realloc_in_place_is_no_repair(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 realloc 3 s0, 0 free s0, ", call_malloc(0x10, 1),
                 call_realloc(0x10, 0x10, 3), call_free(0x10));
    assert_int_equal(counts.repaired_inversions, 0);
}

static void test_threads_are_numbered(void **state)
{
    (void)state;
    const struct call start = {.kind = TRACE_THREAD_START, .thread = 5};
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 1 thread_start, 1 free s0 handoff, "
                 "2 thread_start, 2 malloc 2 s0, 0 free s0 handoff, ",
                 call_on(UINT64_MAX, call_malloc(0x10, 1)), call_on(0, call_free(0x10)), start,
                 start, call_on(5, call_malloc(0x10, 2)), call_on(UINT64_MAX, call_free(0x10)));
    assert_int_equal(counts.threads, 3);
}

static void test_thread_number_given_again(void **state)
{
    (void)state;
    const struct call end = {.kind = TRACE_THREAD_END, .thread = 0};
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 thread_end, 1 thread_start, 1 free s0 handoff, "
                 "1 thread_end, 2 thread_start, 2 thread_end, ",
                 call_malloc(0x10, 1), end, call_free(0x10), end, end);
    assert_int_equal(counts.threads, 3);
}

static void test_alignments_are_rounded_up(void **state)
{
    (void)state;
    ASSERT_BUILT("0 thread_start, 0 memalign 9 x64 s0, 0 memalign 9 x1 s1, "
                 "0 aligned_alloc 9 x4096 s2, ",
                 {.kind = TRACE_MEMALIGN, .result = 0x10, .size = 9, .count = 33},
                 {.kind = TRACE_MEMALIGN, .result = 0x20, .size = 9, .count = 0},
                 {.kind = TRACE_ALIGNED_ALLOC, .result = 0x30, .size = 9, .count = 4096});
}

static void test_time_never_goes_back(void **state)
{
    (void)state;
    struct call early = call_malloc(0x10, 1), late = call_malloc(0x20, 1);
    early.time_ns = 2000000;
    late.time_ns = 9000000;
    ASSERT_BUILT("0 thread_start, 0 malloc 1 s0, 0 malloc 1 s1, ", late, early);
    struct trace_reader *reader = trace_reader_open(path, error);
    assert_int_equal(trace_reader_totals(reader)->duration_ns, 9000000);
    trace_reader_close(reader);
}

static void test_nonsense_is_told(void **state)
{
    (void)state;
    const struct call call = {
        .kind = TRACE_CALLOC, .result = 0x10, .size = UINT64_MAX, .count = UINT64_MAX};
    struct builder *builder = builder_open(path, "", 0, error);
    assert_false(builder_add(builder, &call));
    assert_non_null(strstr(builder_error(builder), path));
    assert_false(builder_finish(builder, "", error));
    assert_non_null(strstr(error, "more bytes than can be counted"));
    assert_null(builder_open("/nowhere/x.trace", "", 0, error));
    assert_string_equal(error, "/nowhere/x.trace: No such file or directory");
}

/* Many blocks at many addresses: what lives is counted beside. */
static void test_many_addresses(void **state)
{
    (void)state;
    enum { ADDRESSES = 50000, CALLS = 400000 };
    uint64_t *sizes = calloc(ADDRESSES, sizeof *sizes);
    uint64_t live = 0, blocks = 0, peak_live = 0, peak_blocks = 0, random = 88172645463325252;
    struct builder *builder = builder_open(path, "", 0, error);
    for (int i = 0; i < CALLS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint64_t at = (random >> 20) % ADDRESSES, size = 1 + random % 1000;
        uint64_t address = 0x7f0000000000 + at * 4096;
        struct call call = sizes[at] ? call_free(address) : call_malloc(address, size);
        live = sizes[at] ? live - sizes[at] : live + size;
        blocks = sizes[at] ? blocks - 1 : blocks + 1;
        sizes[at] = sizes[at] ? 0 : size;
        peak_live = live > peak_live ? live : peak_live;
        peak_blocks = blocks > peak_blocks ? blocks : peak_blocks;
        assert_true(builder_add(builder, &call));
    }
    assert_true(builder_finish(builder, "", error));
    struct trace_reader *reader = trace_reader_open(path, error);
    const struct trace_totals *totals = trace_reader_totals(reader);
    assert_int_equal(totals->final_live, live);
    assert_int_equal(totals->final_slots, blocks);
    assert_int_equal(totals->peak_live, peak_live);
    assert_int_equal(totals->slots, peak_blocks);
    trace_reader_close(reader);
    free(sizes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
        TEST(test_plain_calls),
        TEST(test_failed_calls),
        TEST(test_realloc_of_null_allocates),
        TEST(test_realloc_to_nothing_frees),
        TEST(test_realloc_to_nothing_that_returns_a_block),
        TEST(test_unknown_frees_are_dropped),
        TEST(test_unknown_reallocs_allocate),
        TEST(test_address_given_twice),
        TEST(test_realloc_onto_a_live_address),
        TEST(test_realloc_in_place_is_no_repair),
        TEST(test_threads_are_numbered),
        TEST(test_thread_number_given_again),
        TEST(test_alignments_are_rounded_up),
        TEST(test_time_never_goes_back),
        TEST(test_nonsense_is_told),
        TEST(test_many_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
