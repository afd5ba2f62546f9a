/*
 * Runs of blocks and deferred coalescing, which only the tuned build has: blocks of one size that
 * are taken many at a time, freed many at a time, and merged when they are needed.
 */
#include "allocator/check.h"
#include "allocator/deferred.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"

#include <errno.h>
#include <string.h>

static bool is_byte(const char *p, size_t bytes, char byte)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != byte)
            return false;
    return true;
}

enum { RUN = 40, RUN_GROSS = 160 };

/* The block behind a run. */
static struct block *behind_run(void **run)
{
    return block_after(block_from_payload(run[0]));
}

static void a_run_is_that_many_blocks(void **state)
{
    (void)state;
    void *p[RUN];
    assert_int_equal(heap_allocate_run(&heap, RUN_GROSS, p, RUN), RUN);
    for (size_t i = 0; i < RUN; i++) {
        assert_int_equal((uintptr_t)p[i] % ALIGNMENT, 0);
        assert_true(block_size(block_from_payload(p[i])) >= RUN_GROSS);
        memset(p[i], (int)i, heap_usable_size(p[i]));
    }
    assert_int_equal(span_of(p[0])->blkcount, RUN);
    assert_int_equal(sound_heap(NULL), 0);
    for (size_t i = 0; i < RUN; i++) {
        assert_true(is_byte(p[i], RUN_GROSS - BLOCK_HEADER, (char)i));
        heap_free(&heap, p[i]);
    }
}

/* Taken from the end of the array, as a thread cache does, what follows lies behind what came
 * before. */
static void runs_go_up_from_the_front(void **state)
{
    (void)state;
    void *first[RUN];
    void *second[RUN];
    heap_allocate_run(&heap, RUN_GROSS, first, RUN);
    heap_allocate_run(&heap, RUN_GROSS, second, RUN);
    assert_ptr_equal(block_from_payload(first[RUN - 1]), span_first_block(span_of(first[0])));
    for (size_t i = RUN - 1; i > 0; i--) {
        assert_ptr_equal(first[i - 1], (char *)first[i] + RUN_GROSS);
        assert_ptr_equal(second[i - 1], (char *)second[i] + RUN_GROSS);
    }
    assert_ptr_equal(second[RUN - 1], (char *)first[0] + RUN_GROSS);
}

static void a_run_does_not_map_for_more_than_one(void **state)
{
    (void)state;
    void *p[RUN];
    size_t count = heap_allocate_run(&heap, SPAN_MIN / 4, p, RUN);
    assert_true(count >= 3 && count <= 4);
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(heap_allocate_run(&heap, SPAN_MIN / 2, p, 1), 1);
    assert_int_equal(fake_os.maps, 2);
    fake_os.maps_fail = true;
    errno = 0;
    assert_int_equal(heap_allocate_run(&heap, BIN_LARGE, p, RUN), 0);
    assert_int_equal(errno, ENOMEM);
}

static void a_run_fills_holes(void **state)
{
    (void)state;
    void *p[RUN];
    void *holes[RUN];
    heap_allocate_run(&heap, RUN_GROSS, p, RUN);
    for (size_t i = 0; i < RUN; i += 2)
        heap_free(&heap, p[i]);
    assert_int_equal(heap_allocate_run(&heap, RUN_GROSS, holes, RUN / 2), RUN / 2);
    assert_int_equal(sound_heap(NULL), 0);
    assert_int_equal(fake_os.maps, 1);
}

/* Marks blocks as freed by the program, as a thread cache does. */
static void mark_freed(void **payloads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        block_mark(block_from_payload(payloads[i]), BLOCK_MAGIC_CACHED);
}

static void deferred_blocks_are_merged_when_they_are_needed(void **state)
{
    (void)state;
    void *p[RUN];
    heap_allocate_run(&heap, RUN_GROSS, p, RUN);
    struct span *span = span_of(p[0]);
    mark_freed(p + 1, RUN - 2);
    assert_int_equal(deferred_free_run(&heap, p + 1, RUN - 2), 0);
    assert_int_equal(span->deferred_count, RUN - 2);
    assert_int_equal(sound_heap(NULL), 0);
    size_t most = block_size(behind_run(p)) - BLOCK_HEADER;
    assert_ptr_equal(span_of(heap_allocate(&heap, most)), span); /* all but what is deferred */
    void *middle = heap_allocate(&heap, (RUN - 3) * RUN_GROSS);
    assert_ptr_equal(span_of(middle), span);
    assert_int_equal(span->deferred_count, 0);
    assert_int_equal(fake_os.maps, 1);
}

static void spans_whose_blocks_are_all_deferred_are_empty(void **state)
{
    (void)state;
    void *p[RUN];
    heap_allocate_run(&heap, RUN_GROSS, p, RUN);
    struct span *span = span_of(p[0]);
    mark_freed(p, RUN);
    assert_int_equal(deferred_free_run(&heap, p, RUN / 2), 0);
    assert_int_equal(span->blkcount, RUN);
    assert_int_equal(deferred_free_run(&heap, p + RUN / 2, RUN / 2), 0);
    assert_int_equal(span->blkcount, 0);
    assert_null(heap.deferred);
    assert_int_equal(span->kind, SPAN_CACHED);
}

static void the_last_free_meets_deferred_blocks(void **state)
{
    (void)state;
    void *p[RUN];
    heap_allocate_run(&heap, RUN_GROSS, p, RUN);
    struct span *span = span_of(p[0]);
    mark_freed(p, RUN - 1);
    deferred_free_run(&heap, p, RUN - 1);
    heap_free(&heap, p[RUN - 1]);
    assert_int_equal(span->blkcount, 0);
    assert_int_equal(span->kind, SPAN_CACHED);
}

enum { SPANS = 3 };

/* Spans in which nothing is free but every second block of a run, each in a row of its own. */
static void defer_every_second(void *rows[][RUN], struct span **spans, int count)
{
    void *deferred[RUN / 2];
    for (int i = 0; i < count; i++) {
        assert_int_equal(heap_allocate_run(&heap, RUN_GROSS, rows[i], RUN), RUN);
        spans[i] = span_of(rows[i][0]);
        size_t rest = block_size(behind_run(rows[i]));
        assert_ptr_equal(span_of(heap_allocate(&heap, rest - BLOCK_HEADER)), spans[i]);
    }
    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < RUN / 2; j++)
            deferred[j] = rows[i][2 * j];
        mark_freed(deferred, RUN / 2);
        assert_int_equal(deferred_free_run(&heap, deferred, RUN / 2), 0);
        assert_int_equal(spans[i]->deferred_count, RUN / 2);
    }
}

static void as_many_spans_are_merged_as_it_takes(void **state)
{
    (void)state;
    void *p[SPANS][RUN];
    struct span *spans[SPANS];
    defer_every_second(p, spans, SPANS);
    assert_int_equal(heap.spans.count, 3);
    assert_ptr_equal(span_of(heap_allocate(&heap, 100)), spans[2]); /* one is enough */
    assert_true(spans[0]->deferred && spans[1]->deferred && !spans[2]->deferred);
    heap_free(&heap, p[0][1]); /* beside deferred ones on both sides */
    void *three = heap_allocate(&heap, 3 * RUN_GROSS - BLOCK_HEADER);
    assert_ptr_equal(span_of(three), spans[0]);
    assert_null(heap.deferred);
    assert_int_equal(fake_os.maps, 3);
    assert_int_equal(sound_heap(NULL), 0);
}

static void spans_with_deferred_blocks_leave_the_list_from_any_place(void **state)
{
    (void)state;
    void *p[SPANS][RUN];
    struct span *spans[SPANS];
    defer_every_second(p, spans, SPANS);
    for (int i = 1; i < RUN; i += 2) /* the middle one, then one end */
        heap_free(&heap, p[1][i]);
    assert_true(spans[1]->deferred != NULL);
    void *rest = block_payload(behind_run(p[1]));
    heap_free(&heap, rest);
    assert_int_equal(spans[1]->kind, SPAN_CACHED);
    assert_int_equal(sound_heap(NULL), 0);
    for (int i = 1; i < RUN; i += 2)
        heap_free(&heap, p[0][i]);
    heap_free(&heap, block_payload(behind_run(p[0])));
    assert_int_equal(sound_heap(NULL), 0);
    assert_ptr_equal(heap.deferred, spans[2]);
}

/* Few deferred blocks are merged one by one, many by a walk over the span: it makes no difference.
 */
static void any_number_of_deferred_blocks_is_merged(void **state)
{
    for (size_t deferred = 1; deferred < RUN - 1; deferred++) {
        void *p[RUN];
        fresh_heap(state);
        assert_int_equal(heap_allocate_run(&heap, RUN_GROSS, p, RUN), RUN);
        struct span *span = span_of(p[0]);
        size_t rest = block_size(behind_run(p));
        for (size_t i = 0; i < RUN; i++)
            memset(p[i], (int)i, RUN_GROSS - BLOCK_HEADER);
        heap_free(&heap, p[RUN / 2]);
        p[RUN / 2] = p[RUN - 1];
        mark_freed(p, deferred);
        assert_int_equal(deferred_free_run(&heap, p, deferred), 0);
        assert_int_equal(span->deferred_count, deferred);
        assert_ptr_not_equal(span_of(heap_allocate(&heap, rest + RUN * RUN_GROSS)), span);
        assert_null(heap.deferred);
        assert_int_equal(span->blkcount, RUN - 1 - deferred);
        assert_int_equal(sound_heap(NULL), 0);
        for (size_t i = deferred; i < RUN - 1; i++)
            assert_true(
                is_byte(p[i], RUN_GROSS - BLOCK_HEADER, (char)(i == RUN / 2 ? RUN - 1 : i)));
        drop_heap();
    }
}

static void small_rests_are_used_before_deferred_blocks_are_merged(void **state)
{
    (void)state;
    void *p[1][RUN];
    struct span *span;
    defer_every_second(p, &span, 1);
    heap_free(&heap, p[0][1]);
    assert_ptr_equal(heap_allocate(&heap, RUN_GROSS - BLOCK_HEADER), p[0][1]);
    assert_non_null(span->deferred);
}

static void deferred_blocks_are_merged_before_large_memory_is_cut(void **state)
{
    (void)state;
    void *p[RUN];
    heap_allocate_run(&heap, RUN_GROSS, p, RUN);
    struct span *span = span_of(p[0]);
    assert_true(block_size(behind_run(p)) > DEFERRED_WORTH);
    mark_freed(p + 1, 1);
    assert_int_equal(deferred_free_run(&heap, p + 1, 1), 0);
    assert_non_null(span->deferred);
    assert_ptr_equal(heap_allocate(&heap, RUN_GROSS - BLOCK_HEADER), p[1]);
    assert_null(span->deferred);
}

static void a_large_span_goes_back_when_all_is_deferred(void **state)
{
    (void)state;
    for (int refuses = 1; refuses >= 0; refuses--) {
        void *p = heap_allocate(&heap, 5 << 20);
        fake_os.unmaps_fail = refuses;
        mark_freed(&p, 1);
        assert_int_equal(deferred_free_run(&heap, &p, 1), 0);
        assert_int_equal(heap.spans.cached_count, refuses); /* where nobody takes it */
        assert_int_equal(sound_heap(NULL), 0);
    }
    assert_int_equal(fake_os.mapped, 0);
}

static void blocks_of_others_are_left_in_a_run(void **state)
{
    (void)state;
    static struct heap other_heap;
    memset(&other_heap, 0, sizeof other_heap);
    void *mine[RUN];
    void *theirs[RUN];
    void *mixed[2 * RUN];
    heap_allocate_run(&heap, RUN_GROSS, mine, RUN);
    heap_allocate_run(&other_heap, RUN_GROSS, theirs, RUN);
    for (size_t i = 0; i < RUN; i++) {
        mixed[2 * i] = mine[i];
        mixed[2 * i + 1] = theirs[i];
    }
    mark_freed(mixed, 2 * RUN);
    assert_int_equal(deferred_free_run(&heap, mixed, 2 * RUN), RUN);
    assert_memory_equal(mixed, theirs, sizeof theirs);
    assert_int_equal(deferred_free_run(&other_heap, mixed, RUN), 0);
    assert_int_equal(heap_check(&other_heap, NULL), 0);
    assert_int_equal(other_heap.spans.cached_count, 1);
}

#define HEAP_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_heap, sound_heap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(a_run_is_that_many_blocks),
        HEAP_TEST(runs_go_up_from_the_front),
        HEAP_TEST(a_run_does_not_map_for_more_than_one),
        HEAP_TEST(a_run_fills_holes),
        HEAP_TEST(deferred_blocks_are_merged_when_they_are_needed),
        HEAP_TEST(spans_whose_blocks_are_all_deferred_are_empty),
        HEAP_TEST(the_last_free_meets_deferred_blocks),
        HEAP_TEST(as_many_spans_are_merged_as_it_takes),
        HEAP_TEST(spans_with_deferred_blocks_leave_the_list_from_any_place),
        HEAP_TEST(any_number_of_deferred_blocks_is_merged),
        HEAP_TEST(small_rests_are_used_before_deferred_blocks_are_merged),
        HEAP_TEST(deferred_blocks_are_merged_before_large_memory_is_cut),
        HEAP_TEST(a_large_span_goes_back_when_all_is_deferred),
        HEAP_TEST(blocks_of_others_are_left_in_a_run),
    };
    return cmocka_run_group_tests_name("deferred", tests, NULL, NULL);
}
