/* Prefaulting: which pages come ahead of a heap's small blocks, which do not, and what is learnt
   from that. The system is a fake one, which counts. */
#include "allocator/os.h"
#include "allocator/prefault.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"

enum { SMALL = 1000, RUN = 4, GROWS_HUGE = HEAP_HUGE_SHARE * OS_HUGE_PAGE };

/* As malloc does: a few at a time, or one. */
static void allocate_small(void)
{
#if SPAN_FAST
    void *payloads[RUN];
    assert_true(heap_allocate_run(&heap, block_gross(SMALL), payloads, RUN) > 0);
#else
    assert_non_null(heap_allocate(&heap, SMALL));
#endif
}

static void grow_to(size_t bytes)
{
    while (heap.spans.mapped < bytes)
        allocate_small();
}

static void a_few_pages_come_ahead_of_the_first_blocks(void **state)
{
    (void)state;
    allocate_small();
    assert_int_equal(fake_os.fault_ins, 1);
    size_t used = SPAN_HEADER + RUN * block_gross(SMALL);
    assert_in_range(fake_os.faulted_in, PREFAULT_BYTES, PREFAULT_BYTES + used + 2 * os_page_size());
}

/* Nearly each page of a growing heap comes once, and none that is not part of a span (see
   fake_os.c). */
static void no_page_comes_twice(void **state)
{
    (void)state;
    grow_to(GROWS_HUGE);
    size_t mapped = heap.spans.mapped;
    assert_true(fake_os.faulted_in <= mapped + heap.spans.count * os_page_size());
    assert_true(fake_os.faulted_in >= mapped - mapped / 8);
    assert_true((size_t)fake_os.fault_ins < mapped / PREFAULT_BYTES + heap.spans.count);
}

static void memory_that_was_used_does_not_come_again(void **state)
{
    (void)state;
    enum { BLOCKS = 40 };
    void *blocks[BLOCKS];
    void *holds = heap_allocate(&heap, SMALL);
    long calls = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BLOCKS; i++) {
#if SPAN_FAST
            assert_int_equal(heap_allocate_run(&heap, block_gross(SMALL), &blocks[i], 1), 1);
#else
            blocks[i] = heap_allocate(&heap, SMALL);
#endif
        }
        if (round == 0)
            calls = fake_os.fault_ins;
        for (int i = 0; i < BLOCKS; i++)
            heap_free(&heap, blocks[i]);
    }
    assert_true(calls > 0);
    assert_int_equal(fake_os.fault_ins, calls);
    heap_free(&heap, holds);
}

#if SPAN_FAST
/* Spans that became empty are merged, and cut anew for the next blocks: their pages are known to be
   there, wherever the cuts are. */
static void spans_that_are_merged_and_cut_do_not_come_again(void **state)
{
    (void)state;
    enum { BLOCKS = 1000 };
    static void *blocks[BLOCKS];
    long calls[4] = {0};
    for (int round = 0; round < 4; round++) {
        long before = fake_os.fault_ins;
        for (int i = 0; i < BLOCKS; i++)
            assert_int_equal(heap_allocate_run(&heap, block_gross(SMALL), &blocks[i], 1), 1);
        for (int i = 0; i < BLOCKS; i++)
            heap_free(&heap, blocks[i]);
        calls[round] = fake_os.fault_ins - before;
    }
    assert_true(heap.spans.cached_bytes > BLOCKS * SMALL / 2);
    assert_true(calls[0] > BLOCKS * SMALL / (2 * PREFAULT_BYTES));
    assert_in_range(calls[3], 0, calls[0] / 8);
}
#endif

/* Who knows whether a program uses all of them. */
static void large_blocks_come_as_they_are_touched(void **state)
{
    (void)state;
    for (size_t request = PREFAULT_BLOCK_MAX; request < 4 << 20; request *= 2)
        assert_non_null(heap_allocate(&heap, request));
    assert_int_equal(fake_os.fault_ins, 0);
}

/* Bytes that come ahead while the heap grows by so many huge pages. */
static size_t fault_in_while_growing_by(size_t huge_pages)
{
    size_t before = fake_os.faulted_in;
    grow_to(heap.spans.mapped + huge_pages * OS_HUGE_PAGE);
    return fake_os.faulted_in - before;
}

static void a_huge_page_is_there_already(void **state)
{
    (void)state;
    grow_to(GROWS_HUGE);
    fake_os.is_there = true;
    fault_in_while_growing_by(1); /* what the last span of the others has left */
    assert_int_equal(fault_in_while_growing_by(4), 0);
}

static void a_huge_page_that_the_system_had_not_is_not(void **state)
{
    (void)state;
    grow_to(GROWS_HUGE);
    fault_in_while_growing_by(1);
    assert_true(fault_in_while_growing_by(4) > 3 * OS_HUGE_PAGE);
    assert_int_equal(fake_os.expected, 5 * OS_HUGE_PAGE);
}

/* A heap that is about to have its first huge page, all of which take that long. */
static void grow_to_huge_pages_of(uint64_t huge_ns)
{
    fake_os.is_there = true;
    grow_to(GROWS_HUGE);
    fake_os.huge_ns = huge_ns;
}

/* Of the next spans of the size of a huge page, how many are to be on one, if the program runs for
   so long before each. */
static size_t huge_among(size_t spans, uint64_t run_ns)
{
    size_t before = fake_os.expected;
    for (size_t i = 0; i < spans; i++) {
        fake_os.spent_ns += run_ns;
        grow_to(heap.spans.mapped + 1);
    }
    return (fake_os.expected - before) / OS_HUGE_PAGE;
}

static void huge_pages_that_are_not_slow_come_at_once(void **state)
{
    (void)state;
    grow_to_huge_pages_of(PREFAULT_HUGE_FAIR_NS);
    assert_int_equal(huge_among(100, 0), 100);
}

enum { SLOW_TIMES = 5 };

static const uint64_t slow_ns = SLOW_TIMES * (uint64_t)PREFAULT_HUGE_FAIR_NS;
static const uint64_t lost_ns = (SLOW_TIMES - 1) * (uint64_t)PREFAULT_HUGE_FAIR_NS;

static void a_program_that_only_grows_has_few_slow_huge_pages(void **state)
{
    (void)state;
    grow_to_huge_pages_of(slow_ns);
    assert_int_equal(huge_among(100, 0), 1); /* nobody knew */
}

static void a_program_that_runs_long_has_them_all(void **state)
{
    (void)state;
    grow_to_huge_pages_of(slow_ns);
    assert_int_equal(huge_among(100, PREFAULT_LOSS_SHARE * lost_ns), 100);
}

/* Neither more is lost than a part of the time, by more than one huge page, nor much less. */
static void others_have_as_many_as_their_time_is_worth(void **state)
{
    (void)state;
    enum { SPANS = 200 };
    grow_to_huge_pages_of(slow_ns);
    size_t huge = huge_among(SPANS, lost_ns);
    uint64_t worth_ns = fake_os.spent_ns / PREFAULT_LOSS_SHARE;
    assert_in_range(huge, SPANS / 8, SPANS / 2);
    assert_in_range(huge * lost_ns, worth_ns - lost_ns, worth_ns + lost_ns);
}

/* So much was lost before. */
static void quick_ones_after_slow_ones_wait_for_the_time_to_pass(void **state)
{
    (void)state;
    grow_to_huge_pages_of(slow_ns);
    assert_int_equal(huge_among(2, 0), 1);
    fake_os.huge_ns = 0;
    fake_os.spent_ns = PREFAULT_LOSS_SHARE * lost_ns - 1;
    assert_int_equal(huge_among(8, 0), 0);
    assert_int_equal(huge_among(8, 1), 8);
}

#define PREFAULT_TEST(f) cmocka_unit_test_setup_teardown(f, fresh_heap, sound_heap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PREFAULT_TEST(a_few_pages_come_ahead_of_the_first_blocks),
        PREFAULT_TEST(no_page_comes_twice),
        PREFAULT_TEST(memory_that_was_used_does_not_come_again),
#if SPAN_FAST
        PREFAULT_TEST(spans_that_are_merged_and_cut_do_not_come_again),
#endif
        PREFAULT_TEST(large_blocks_come_as_they_are_touched),
        PREFAULT_TEST(a_huge_page_is_there_already),
        PREFAULT_TEST(a_huge_page_that_the_system_had_not_is_not),
        PREFAULT_TEST(huge_pages_that_are_not_slow_come_at_once),
        PREFAULT_TEST(a_program_that_only_grows_has_few_slow_huge_pages),
        PREFAULT_TEST(a_program_that_runs_long_has_them_all),
        PREFAULT_TEST(others_have_as_many_as_their_time_is_worth),
        PREFAULT_TEST(quick_ones_after_slow_ones_wait_for_the_time_to_pass),
    };
    return cmocka_run_group_tests_name("prefault", tests, NULL, NULL);
}
