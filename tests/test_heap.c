/*
 * Spans and the heap: what is kept, returned and refused; resizing in place; alignment; a system
 * that fails; and the model test (shadow.h).
 */
#include "allocator/check.h"
#include "allocator/os.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"
#include "shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool is_byte(const char *p, size_t bytes, char byte)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != byte)
            return false;
    return true;
}

/* Pages of [p, p + bytes) that exist, by the kernel's word. */
static size_t resident_pages(void *p, size_t bytes)
{
    size_t pages = bytes / os_page_size();
    unsigned char *present = malloc(pages);
    size_t count = 0;
    assert_int_equal(mincore(p, bytes, present), 0);
    for (size_t i = 0; i < pages; i++)
        count += present[i] & 1;
    free(present);
    return count;
}

static void large_spans_are_returned_untouched(void **state)
{
    (void)state;
    enum { LARGE = 256 << 20 };
    char *p = heap_allocate_zeroed(&heap, LARGE);
    assert_non_null(p);
    assert_int_equal(p[LARGE / 2], 0);
    assert_true(resident_pages(span_of(p), span_of(p)->size) < 8);
    heap_free(&heap, p, "free");
    assert_int_equal(fake_os.mapped, 0);
}

static void larger_empty_span_is_kept(void **state)
{
    (void)state;
    void *small = heap_allocate(&heap, 40 << 10);
    void *large = heap_allocate(&heap, 500 << 10);
    struct span *large_span = span_of(large);
    heap_free(&heap, small, "free");
    heap_free(&heap, large, "free");
    assert_ptr_equal(heap.spans.cached, large_span);
    assert_int_equal(heap.spans.count, 1);
    assert_ptr_equal(span_of(heap_allocate(&heap, 500 << 10)), large_span);
    assert_int_equal(fake_os.maps, 2);
}

static void empty_span_above_the_limit_is_returned(void **state)
{
    (void)state;
    heap_free(&heap, heap_allocate(&heap, SPAN_KEEP_FIRST), "free");
    assert_int_equal(fake_os.mapped, 0);
    heap_free(&heap, heap_allocate(&heap, SPAN_KEEP_FIRST / 2), "free");
    assert_true(fake_os.mapped > 0);
}

static void limit_learns_from_what_is_asked_for_again(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        heap_free(&heap, heap_allocate(&heap, 5 << 20), "free");
        heap_free(&heap, heap_allocate(&heap, 3 << 20), "free");
    }
    assert_int_equal(fake_os.maps, 3); /* each of them once, and the first one once more */
    for (int i = 0; i < 3; i++)        /* but not from what is too large for ever */
        heap_free(&heap, heap_allocate(&heap, 2 * SPAN_KEEP_LAST), "free");
    assert_int_equal(fake_os.maps, 6);
}

static void small_blocks_take_the_cached_span_last_and_in_part(void **state)
{
    (void)state;
    char *small = heap_allocate(&heap, 1000);
    heap_free(&heap, heap_allocate(&heap, 900 << 10), "free");
    struct span *cached = heap.spans.cached;
    assert_non_null(cached);
    assert_ptr_equal(span_of(heap_allocate(&heap, 1000)), span_of(small));
    while (heap.spans.cached)
        assert_non_null(heap_allocate(&heap, 1000));
    assert_true(cached->size <= 128 << 10); /* the rest went back */
    assert_int_equal(fake_os.maps, 2);
}

static void edge_of_a_span_does_not_map_each_time(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_non_null(heap_allocate(&heap, 20 << 10)); /* the first span is full now */
    long maps = fake_os.maps;
    for (int i = 0; i < 1000; i++)
        heap_free(&heap, heap_allocate(&heap, 20 << 10), "free");
    assert_true(fake_os.maps <= maps + 1);
    assert_int_equal(fake_os.unmaps, 0);
}

static void a_refused_unmap_keeps_the_heap_sound(void **state)
{
    (void)state;
    void *p[4];
    for (int i = 0; i < 4; i++)
        p[i] = heap_allocate(&heap, 40 << 10);
    char *large = heap_allocate(&heap, 4 << 20);
    fake_os.unmaps_fail = true;
    heap_free(&heap, large, "free");
    for (int i = 0; i < 4; i++)
        heap_free(&heap, p[i], "free");
    assert_int_equal(heap.spans.count, 5);
    fake_os.unmaps_fail = false;
    long maps = fake_os.maps;
    void *again = heap_allocate(&heap, 3 << 20); /* what could not be returned is of use */
    assert_non_null(again);
    assert_int_equal(fake_os.maps, maps);
    for (int i = 0; i < 4; i++)
        p[i] = heap_allocate(&heap, 40 << 10);
    assert_int_equal(fake_os.maps, maps);
}

static void heap_grows_in_larger_spans(void **state)
{
    (void)state;
    for (int i = 0; i < 40000; i++)
        assert_non_null(heap_allocate(&heap, 1000));
    assert_true(heap.spans.count < 100); /* 40 MB would be 640 spans of 64 KiB */
    assert_int_equal(fake_os.last_bytes, HEAP_SPAN_MAX);
}

static void small_blocks_do_not_pin_large_spans(void **state)
{
    (void)state;
    char *large = heap_allocate(&heap, (4 << 20) - 2000);
    struct span *span = span_of(large);
    for (int i = 0; i < 100; i++)
        assert_ptr_not_equal(span_of(heap_allocate(&heap, 50)), span);
    heap_free(&heap, large, "free");
    assert_int_equal(fake_os.unmaps, 1);
}

static void refuses_what_overflows(void **state)
{
    (void)state;
    const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2, (size_t)PTRDIFF_MAX};
    for (size_t i = 0; i < 4; i++) {
        errno = 0;
        assert_null(heap_allocate(&heap, absurd[i]));
        assert_int_equal(errno, ENOMEM);
        assert_null(heap_allocate_zeroed(&heap, absurd[i]));
        assert_null(heap_allocate_aligned(&heap, 4096, absurd[i]));
        assert_null(heap_allocate_aligned(&heap, (size_t)1 << 63, 1));
    }
    char *p = heap_allocate(&heap, 100);
    memset(p, 'k', 100);
    errno = 0;
    assert_null(heap_resize(&heap, p, SIZE_MAX - 5, "realloc"));
    assert_int_equal(errno, ENOMEM);
    assert_true(is_byte(p, 100, 'k'));
}

static void resize_grows_into_the_block_behind(void **state)
{
    (void)state;
    char *behind = heap_allocate(&heap, 1000);
    char *p = heap_allocate(&heap, 1000);
    heap_allocate(&heap, 1000);
    memset(p, 'b', 1000);
    heap_free(&heap, behind, "free");
    assert_ptr_equal(heap_resize(&heap, p, 1500, "realloc"), p);
    assert_true(is_byte(p, 1000, 'b'));
    assert_ptr_equal(heap_resize(&heap, p, 2000, "realloc"), p);
}

static void resize_grows_into_the_block_before(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 1000); /* all the free space of the span is in front of it */
    char *end = p - BLOCK_HEADER + block_gross(1000);
    memset(p, 'f', 1000);
    char *grown = heap_resize(&heap, p, 5000, "realloc");
    assert_ptr_equal(grown, end - block_gross(5000) + BLOCK_HEADER);
    assert_true(is_byte(grown, 1000, 'f'));
    assert_int_equal(span_of(grown)->blkcount, 1);
    size_t all = span_of(grown)->size - SPAN_HEADER - BLOCK_HEADER;
    assert_non_null(heap_resize(&heap, grown, all, "realloc"));
    assert_int_equal(fake_os.maps, 1);
}

static void resize_uses_both_neighbours(void **state)
{
    (void)state;
    char *row[5];
    for (int i = 4; i >= 0; i--)
        row[i] = heap_allocate(&heap, 1000);
    memset(row[2], 'm', 1000);
    heap_free(&heap, row[1], "free");
    heap_free(&heap, row[3], "free");
    char *grown = heap_resize(&heap, row[2], 2900, "realloc");
    assert_true(grown >= row[1] && grown < row[2]);
    assert_true(is_byte(grown, 1000, 'm'));
}

static void resize_shrinks_in_place(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 10000);
    memset(p, 's', 10000);
    assert_ptr_equal(heap_resize(&heap, p, 100, "realloc"), p);
    assert_int_equal(block_size(block_from_payload(p)), block_gross(100));
    assert_true(is_byte(p, 100, 's'));
    assert_int_equal((unsigned char)p[5000], BLOCK_POISON);
}

static void resize_moves_when_it_must(void **state)
{
    (void)state;
    char *row[3];
    for (int i = 2; i >= 0; i--)
        row[i] = heap_allocate(&heap, 20000);
    memset(row[2], 'v', 20000);
    char *moved = heap_resize(&heap, row[2], 60000, "realloc");
    assert_ptr_not_equal(span_of(moved), span_of(row[1]));
    assert_true(is_byte(moved, 20000, 'v'));
    assert_int_equal(span_of(row[1])->blkcount, 2);
}

static void large_block_gives_pages_back_when_it_shrinks(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 16 << 20);
    memset(p, 'l', 16 << 20);
    char *shrunk = heap_resize(&heap, p, 1 << 20, "realloc");
    assert_ptr_equal(shrunk, p);
    assert_true(fake_os.mapped < (1 << 20) + (64 << 10));
    assert_true(is_byte(p, 1 << 20, 'l'));
    shrunk = heap_resize(&heap, p, 1000, "realloc");
    assert_true(is_byte(shrunk, 1000, 'l'));
    assert_int_equal(heap.spans.count, 1); /* not in the large span any more */
    assert_true(fake_os.mapped <= 2 * SPAN_MIN);
}

static void large_block_grows_without_a_copy(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 1 << 20);
    memset(p, 'g', 1 << 20);
    for (size_t request = 2 << 20; request <= 64 << 20; request *= 2) {
        p = heap_resize(&heap, p, request, "realloc");
        assert_non_null(p);
        assert_int_equal(heap_check(&heap, NULL), 0);
    }
    assert_true(is_byte(p, 1 << 20, 'g'));
    assert_true(is_byte(p + (1 << 20), 1 << 20, 0));
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(fake_os.remaps, 6);
    fake_os.maps_fail = true;
    assert_null(heap_resize(&heap, p, 128 << 20, "realloc"));
    assert_true(is_byte(p, 1 << 20, 'g'));
}

static void aligned_blocks_leave_no_odd_rests(void **state)
{
    (void)state;
    for (size_t align = 16; align <= 1 << 21; align *= 2) {
        for (size_t request = 1; request < 300000; request = request * 7 + 1) {
            void *p = heap_allocate_aligned(&heap, align, request);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % align, 0);
            assert_true(heap_usable_size(p, "test") >= request);
            assert_int_equal(heap_check(&heap, NULL), 0);
        }
    }
}

/* Every way in which the system can refuse a map, in a run that uses all functions. */
static void every_failing_map_leaves_the_heap_sound(void **state)
{
    (void)state;
    char message[SHADOW_MESSAGE_MAX];
    for (long fails_in = 0; fails_in < 60; fails_in++) {
        fresh_heap(NULL);
        fake_os.map_fails_in = fails_in;
        struct shadow_plan plan = {.seed = 7,
                                   .ops = 400,
                                   .slots = 60,
                                   .request_max = 1 << 19,
                                   .check_every = 1,
                                   .out_of_memory = true};
        if (!shadow_run(&heap, &plan, message))
            fail_msg("map %ld fails: %s", fails_in, message);
        assert_true(heap.spans.count <= 1);
    }
}

static void no_memory_is_null_and_enomem(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 100);
    memset(p, 'n', 100);
    fake_os.maps_fail = true;
    errno = 0;
    assert_null(heap_allocate(&heap, 1 << 20));
    assert_int_equal(errno, ENOMEM);
    assert_null(heap_resize(&heap, p, 1 << 20, "realloc"));
    assert_null(heap_allocate_aligned(&heap, 1 << 16, 100));
    assert_true(is_byte(p, 100, 'n'));
    assert_non_null(heap_allocate(&heap, 100)); /* there is still room in the span */
}

static void model(void **state)
{
    (void)state;
    const struct shadow_plan plans[] = {
        {.ops = 20000, .slots = 40, .request_max = 300, .check_every = 1},
        {.ops = 8000, .slots = 200, .request_max = 5000, .check_every = 1},
        {.ops = 5000, .slots = 100, .request_max = 1 << 18, .check_every = 1},
        {.ops = 300000, .slots = 3000, .request_max = 2000, .check_every = 20000},
        {.ops = 3000, .slots = 20, .request_max = 4 << 20, .check_every = 1},
    };
    char message[SHADOW_MESSAGE_MAX];
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct shadow_plan plan = plans[i];
            plan.seed = seed;
            if (!shadow_run(&heap, &plan, message))
                fail_msg("plan %zu, %s", i, message);
            assert_true(heap.spans.count <= 1);
        }
    }
}

#define HEAP_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_heap, sound_heap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(large_spans_are_returned_untouched),
        HEAP_TEST(larger_empty_span_is_kept),
        HEAP_TEST(empty_span_above_the_limit_is_returned),
        HEAP_TEST(limit_learns_from_what_is_asked_for_again),
        HEAP_TEST(small_blocks_take_the_cached_span_last_and_in_part),
        HEAP_TEST(edge_of_a_span_does_not_map_each_time),
        HEAP_TEST(a_refused_unmap_keeps_the_heap_sound),
        HEAP_TEST(heap_grows_in_larger_spans),
        HEAP_TEST(small_blocks_do_not_pin_large_spans),
        HEAP_TEST(refuses_what_overflows),
        HEAP_TEST(resize_grows_into_the_block_behind),
        HEAP_TEST(resize_grows_into_the_block_before),
        HEAP_TEST(resize_uses_both_neighbours),
        HEAP_TEST(resize_shrinks_in_place),
        HEAP_TEST(resize_moves_when_it_must),
        HEAP_TEST(large_block_gives_pages_back_when_it_shrinks),
        HEAP_TEST(large_block_grows_without_a_copy),
        HEAP_TEST(aligned_blocks_leave_no_odd_rests),
        HEAP_TEST(every_failing_map_leaves_the_heap_sound),
        HEAP_TEST(no_memory_is_null_and_enomem),
        HEAP_TEST(model),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
