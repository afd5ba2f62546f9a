/*
 * The heap: what is kept, returned and refused; resizing in place; alignment. Random operations and
 * a system that fails at any point are the business of test_model.c and test_refusals.c.
 */
#include "allocator/check.h"
#include "allocator/os.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"

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

/* A block that gets a span of its own in both builds if it is large. */
static void *allocate_apart(size_t request)
{
    return heap_allocate_zeroed(&heap, request);
}

static void large_spans_are_returned_untouched(void **state)
{
    (void)state;
    enum { LARGE = 256 << 20 };
    char *p = heap_allocate_zeroed(&heap, LARGE);
    assert_non_null(p);
    assert_int_equal(p[LARGE / 2], 0);
    assert_true(resident_pages(span_of(p), span_of(p)->size) < 8);
    heap_free(&heap, p);
    assert_int_equal(fake_os.mapped, 0);
}

static void larger_empty_span_is_cached(void **state)
{
    (void)state;
    fake_os.apart = true;
    void *small = heap_allocate(&heap, 40 << 10);
    void *large = heap_allocate(&heap, 500 << 10);
    struct span *large_span = span_of(large);
    heap_free(&heap, small);
    heap_free(&heap, large);
    assert_ptr_equal(heap.spans.cached, large_span);
    assert_int_equal(heap.spans.count, BUILD_SPANS_CACHED > 1 ? 2 : 1);
    assert_ptr_equal(span_of(heap_allocate(&heap, 500 << 10)), large_span);
    assert_int_equal(fake_os.maps, 2);
}

static void empty_span_above_the_limit_is_returned(void **state)
{
    (void)state;
    heap_free(&heap, heap_allocate(&heap, HEAP_SHARED_BYTES));
    assert_int_equal(fake_os.mapped, 0);
    heap_free(&heap, heap_allocate(&heap, SPAN_CACHE_FIRST / 2));
    assert_true(fake_os.mapped > 0);
}

static void limit_learns_from_what_is_asked_for_again(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        heap_free(&heap, heap_allocate(&heap, 5 << 20));
        heap_free(&heap, heap_allocate(&heap, 3 << 20));
    }
    long maps = fake_os.maps;
    assert_true(maps <= 3);     /* each of them once, and the first one once more */
    for (int i = 0; i < 3; i++) /* but not from what is too large for ever */
        heap_free(&heap, heap_allocate(&heap, 2 * SPAN_CACHE_LAST));
    assert_int_equal(fake_os.maps, maps + 3);
}

/* A small one may be cut from what the large one left, which is then enlarged again. */
static void limit_learns_from_two_sizes_in_turn(void **state)
{
    (void)state;
    enum { ROUNDS = 16, LEARNT_BY = 4 };
    long calls = 0;
    fake_os.apart = true;
    for (int round = 0; round < ROUNDS; round++) {
        if (round == LEARNT_BY)
            calls = fake_os.maps + fake_os.remaps + fake_os.unmaps;
        void *small = heap_allocate(&heap, 256 << 10);
        void *large = heap_allocate(&heap, 1 << 20);
        heap_free(&heap, small);
        heap_free(&heap, large);
    }
    assert_int_equal(fake_os.maps + fake_os.remaps + fake_os.unmaps, calls);
}

/* All of them are asked for again, not one: the second round knows. */
static void limit_learns_from_many_small_spans_at_once(void **state)
{
    (void)state;
    enum { BLOCKS = 4000, ROUNDS = 8, LEARNT_BY = 2 };
    if (BUILD_SPANS_CACHED == 1)
        skip();
    static void *blocks[BLOCKS];
    long calls = 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (round == LEARNT_BY)
            calls = fake_os.maps + fake_os.unmaps;
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = heap_allocate(&heap, 1000);
        for (int i = 0; i < BLOCKS; i++)
            heap_free(&heap, blocks[i]);
    }
    assert_in_range(heap.spans.cache_limit, 4000 * 1000, 8 << 20);
    assert_true(fake_os.maps + fake_os.unmaps - calls <= ROUNDS);
}

/* What thread caches hold comes beside it: libspan.h bounds both. */
static void many_small_spans_teach_half_of_the_end_at_most(void **state)
{
    (void)state;
    enum { BLOCKS = 64000, ROUNDS = 6 };
    static void *blocks[BLOCKS];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = heap_allocate(&heap, 1000);
        for (int i = 0; i < BLOCKS; i++)
            heap_free(&heap, blocks[i]);
    }
    assert_in_range(heap.spans.cache_limit, 0, SPAN_CACHE_LAST / 2);
    assert_true(BUILD_SPANS_CACHED == 1 || heap.spans.cache_limit > SPAN_CACHE_LAST / 4);
}

/* What goes once and is not asked for again teaches nothing. */
static void a_heap_that_only_shrinks_learns_nothing(void **state)
{
    (void)state;
    enum { BLOCKS = 20000 };
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = heap_allocate(&heap, 1000);
    for (int i = 0; i < BLOCKS; i++)
        heap_free(&heap, blocks[i]);
    assert_int_equal(heap.spans.cache_limit, 0);
    assert_true(fake_os.mapped <= SPAN_CACHE_FIRST);
}

static void small_blocks_take_the_cached_span_last_and_in_part(void **state)
{
    (void)state;
    char *small = heap_allocate(&heap, 1000);
    heap_free(&heap, allocate_apart(900 << 10));
    struct span *kept = heap.spans.cached;
    assert_non_null(kept);
    assert_ptr_equal(span_of(heap_allocate(&heap, 1000)), span_of(small));
    while (heap.spans.cached)
        assert_non_null(heap_allocate(&heap, 1000));
    assert_true(kept->size <= 128 << 10); /* the rest went back */
    assert_int_equal(fake_os.maps, 2);
}

static void edge_of_a_span_does_not_map_each_time(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_non_null(heap_allocate(&heap, 20 << 10)); /* the first span is full now */
    long maps = fake_os.maps;
    for (int i = 0; i < 1000; i++)
        heap_free(&heap, heap_allocate(&heap, 20 << 10));
    assert_true(fake_os.maps <= maps + 1);
    assert_int_equal(fake_os.unmaps, 0);
}

static void a_refused_unmap_keeps_the_heap_sound(void **state)
{
    (void)state;
    fake_os.apart = true;
    void *p[4];
    for (int i = 0; i < 4; i++)
        p[i] = heap_allocate(&heap, 40 << 10);
    char *large = heap_allocate(&heap, 4 << 20);
    fake_os.unmaps_fail = true;
    heap_free(&heap, large);
    for (int i = 0; i < 4; i++)
        heap_free(&heap, p[i]);
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

/* Small blocks until so much is mapped. */
static void grow_to(size_t bytes)
{
    while (heap.spans.mapped < bytes)
        assert_non_null(heap_allocate(&heap, 1000));
}

static const size_t grows_by_huge_pages = (size_t)HEAP_HUGE_SHARE * OS_HUGE_PAGE;

static void heap_grows_in_larger_spans(void **state)
{
    (void)state;
    for (size_t mapped = 0; mapped < grows_by_huge_pages; mapped = heap.spans.mapped) {
        grow_to(mapped + 1);
        size_t size = heap.spans.mapped - mapped;
        size_t share = mapped / HEAP_SPAN_SHARE;
        assert_int_equal(size, fake_os.last_bytes);
        assert_true(size == SPAN_MIN || (size <= share && size + SPAN_MIN > share));
    }
    /* 8 MB would be 128 spans of 64 KiB */
    assert_true(heap.spans.count < (HEAP_SPAN_SHARE == 8 ? 50 : 64));
    assert_int_equal(fake_os.expected, 0);
}

static void large_heaps_grow_by_huge_pages(void **state)
{
    (void)state;
    grow_to(grows_by_huge_pages);
    size_t mapped = heap.spans.mapped;
    for (size_t i = 1; i <= 8; i++) {
        grow_to(heap.spans.mapped + 1);
        assert_int_equal(heap.spans.mapped, mapped + i * OS_HUGE_PAGE);
        assert_int_equal(fake_os.expected, i * OS_HUGE_PAGE);
        assert_int_equal(fake_os.mapped, heap.spans.mapped);
    }
}

/* Memory around a huge page that the system does not take back serves like any other. */
static void refused_trims_of_huge_pages_lose_nothing(void **state)
{
    (void)state;
    grow_to(grows_by_huge_pages);
    for (long n = 0; n < 3; n++) {
        fake_os.unmap_fails_in = n % 2;
        grow_to(heap.spans.mapped + 1);
        fake_os.unmap_fails_in = FAKE_OS_NEVER;
        assert_int_equal(fake_os.mapped, heap.spans.mapped);
        assert_int_equal(sound_heap(NULL), 0);
    }
    fake_os.unmaps_fail = true;
    size_t mapped = heap.spans.mapped;
    grow_to(mapped + 1);
    assert_int_equal(heap.spans.mapped, mapped + 2 * OS_HUGE_PAGE);
    struct span *span = heap.spans.first;
    long maps = fake_os.maps;
    size_t served = 0;
    while (heap_allocate(&heap, 1000) && fake_os.maps == maps)
        served += 1000;
    assert_true(served > 2 * OS_HUGE_PAGE - OS_HUGE_PAGE / 8);
    assert_true(span->blkcount > 0);
}

static void without_a_huge_page_a_small_span_does(void **state)
{
    (void)state;
    grow_to(grows_by_huge_pages);
    size_t mapped = heap.spans.mapped;
    long failures = fake_os.failures;
    while (heap.spans.mapped == mapped) {
        fake_os.map_fails_in = 0;
        assert_non_null(heap_allocate(&heap, 1000));
    }
    assert_int_equal(fake_os.failures, failures + 1);
    assert_int_equal(heap.spans.mapped, mapped + SPAN_MIN);
    fake_os.map_fails_in = FAKE_OS_NEVER;
}

static void a_block_as_large_as_a_huge_page(void **state)
{
    (void)state;
    size_t request = OS_HUGE_PAGE - SPAN_HEADER - SPAN_TAIL - BLOCK_HEADER;
    for (int refuses = 0; refuses < 2; refuses++) {
        fake_os.unmaps_fail = refuses;
        char *p = heap_allocate_zeroed(&heap, request);
        assert_true(heap_usable_size(p) >= request);
        assert_true(is_byte(p, request, 0));
        memset(p, 'h', request);
        assert_int_equal(fake_os.mapped, heap.spans.mapped);
        assert_int_equal(sound_heap(NULL), 0);
    }
}

static void no_more_empty_spans_are_kept_than_should_be(void **state)
{
    (void)state;
    fake_os.apart = true;
    enum { KEPT_REQUEST = 140 << 10, BLOCKS = 12 }; /* each has a span, more than is kept */
    void *p[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        p[i] = allocate_apart(KEPT_REQUEST);
    for (int i = 0; i < BLOCKS; i++)
        heap_free(&heap, p[i]);
    size_t fit = SPAN_CACHE_FIRST / heap.spans.cached->size;
    assert_int_equal(heap.spans.cached_count, BUILD_SPANS_CACHED > 1 ? fit : 1);
    assert_int_equal(heap.spans.count, heap.spans.cached_count);
    assert_int_equal(fake_os.maps, BLOCKS);
    while (heap.spans.cached)
        assert_non_null(allocate_apart(KEPT_REQUEST));
    assert_int_equal(fake_os.maps, BLOCKS);
}

static void a_cached_span_serves_what_just_fits(void **state)
{
    (void)state;
    const size_t request = SPAN_MIN - SPAN_HEADER - SPAN_TAIL - BLOCK_HEADER;
    heap_free(&heap, heap_allocate(&heap, request));
    assert_int_equal(heap.spans.cached->size, SPAN_MIN);
    assert_non_null(heap_allocate(&heap, request));
    assert_int_equal(fake_os.maps, 1);
}

/* Half of a span is not most of it, and twice a span is not too large for it. */
static void cached_spans_of_twice_the_size(void **state)
{
    (void)state;
    const size_t header = SPAN_HEADER + SPAN_TAIL + BLOCK_HEADER;
    heap_free(&heap, allocate_apart(2 * SPAN_MIN - header));
    struct span *kept = heap.spans.cached;
    heap_free(&heap, heap_allocate(&heap, 100));
    assert_ptr_equal(heap.spans.cached, kept);
    assert_int_equal(kept->size, 2 * SPAN_MIN);
    assert_non_null(allocate_apart(4 * SPAN_MIN - header));
    assert_int_equal(fake_os.remaps, 1);
    assert_int_equal(fake_os.maps, 1);
}

static void a_cached_span_is_stretched_for_a_larger_block(void **state)
{
    (void)state;
    char *p = allocate_apart(600 << 10);
    memset(p, 's', 600 << 10);
    heap_free(&heap, p);
    fake_os.maps_fail = true;
    assert_null(heap_allocate(&heap, 900 << 10)); /* neither that nor another one */
    assert_int_equal(sound_heap(NULL), 0);
    assert_int_equal(heap.spans.cached_count, 1);
    fake_os.maps_fail = false;
    p = heap_allocate_zeroed(&heap, 900 << 10);
    assert_true(is_byte(p, 900 << 10, 0));
    assert_int_equal(span_of(p)->kind, SPAN_DEDICATED);
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(fake_os.remaps, 1);
    assert_int_equal(sound_heap(NULL), 0);
    heap_free(&heap, p);
    assert_non_null(heap_allocate(&heap, 2 << 20)); /* but not to more than twice its size */
    assert_int_equal(fake_os.maps, 2);
    assert_int_equal(fake_os.remaps, 1);
}

static void a_cached_span_is_stretched_when_the_heap_grows(void **state)
{
    (void)state;
    heap_free(&heap, heap_allocate(&heap, 90 << 10));
    struct span *stretched = span_of(heap_allocate(&heap, 110 << 10));
    assert_int_equal(stretched->kind, SPAN_ORDINARY);
    assert_int_equal(stretched->size, heap.spans.mapped);
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(fake_os.remaps, 1);
    assert_int_equal(sound_heap(NULL), 0);
}

static void a_cached_span_that_cannot_be_stretched_is_no_loss(void **state)
{
    (void)state;
    heap_free(&heap, heap_allocate(&heap, 90 << 10));
    fake_os.map_fails_in = 0;
    errno = 0;
    assert_non_null(heap_allocate(&heap, 110 << 10));
    assert_int_equal(errno, 0);
    assert_int_equal(fake_os.maps, 2);
    assert_int_equal(heap.spans.cached_count, 1);
    assert_int_equal(sound_heap(NULL), 0);
}

static void the_largest_cached_span_is_stretched(void **state)
{
    (void)state;
    fake_os.apart = true;
    if (BUILD_SPANS_CACHED == 1)
        skip();
    void *p[3];
    for (size_t i = 0; i < 3; i++)
        p[i] = heap_allocate(&heap, (200 + 50 * i) << 10);
    size_t sizes = heap.spans.mapped - span_of(p[2])->size;
    heap_free(&heap, p[0]);
    heap_free(&heap, p[2]);
    heap_free(&heap, p[1]);
    struct span *stretched = span_of(heap_allocate(&heap, 380 << 10));
    assert_int_equal(heap.spans.mapped, sizes + stretched->size);
    assert_int_equal(fake_os.remaps, 1);
    assert_int_equal(fake_os.maps, 3);
}

/* It waits for the next block of its size. */
static void much_too_large_cached_spans_are_left_alone(void **state)
{
    (void)state;
    if (BUILD_CUTS_CACHED)
        skip();
    void *small = allocate_apart(200 << 10);
    void *large = allocate_apart(700 << 10);
    struct span *kept = span_of(large);
    heap_free(&heap, large);
    assert_non_null(heap_resize(&heap, small, 300 << 10));
    assert_int_equal(kept->kind, SPAN_CACHED);
    assert_int_equal(fake_os.remaps, 1);
    small = allocate_apart(150 << 10);
    assert_int_equal(fake_os.maps, 3);
    assert_non_null(small);
}

static void cached_spans_are_cut_for_smaller_blocks(void **state)
{
    (void)state;
    if (!BUILD_CUTS_CACHED)
        skip();
    fake_os.apart = true;
    void *p[3] = {heap_allocate(&heap, 900 << 10)};
    struct span *span = span_of(p[0]);
    size_t size = span->size;
    for (int round = 0; round < 3; round++) {
        heap_free(&heap, p[0]);
        for (int i = 0; i < 3; i++) {
            p[i] = heap_allocate(&heap, 200 << 10);
            memset(p[i], 'c', 200 << 10);
            assert_int_equal(span_of(p[i])->kind, SPAN_DEDICATED);
            assert_int_equal(sound_heap(NULL), 0);
        }
        for (int i = 0; i < 3; i++)
            heap_free(&heap, p[i]);
        assert_ptr_equal(heap.spans.cached, span); /* one again */
        assert_int_equal(span->size, size);
        p[0] = heap_allocate(&heap, 900 << 10);
        assert_ptr_equal(span_of(p[0]), span);
    }
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(fake_os.unmaps, 0);
}

static void the_smallest_cached_span_that_suffices_serves(void **state)
{
    (void)state;
    fake_os.apart = true;
    void *p[3];
    struct span *spans[3];
    for (size_t i = 0; i < 3; i++) {
        p[i] = heap_allocate(&heap, (i + 2) * (70 << 10));
        spans[i] = span_of(p[i]);
    }
    heap_free(&heap, p[1]);
    heap_free(&heap, p[0]);
    heap_free(&heap, p[2]);
    if (BUILD_SPANS_CACHED > 1)
        assert_ptr_equal(span_of(heap_allocate(&heap, 3 * (70 << 10) - 100)), spans[1]);
    assert_ptr_equal(span_of(heap_allocate(&heap, 4 * (70 << 10) - 100)), spans[2]);
}

static void a_cached_span_that_cannot_be_trimmed_serves_whole(void **state)
{
    (void)state;
    if (BUILD_CUTS_CACHED)
        skip();
    heap_free(&heap, heap_allocate(&heap, 900 << 10));
    struct span *kept = heap.spans.cached;
    size_t size = kept->size;
    fake_os.unmaps_fail = true;
    assert_ptr_equal(span_of(heap_allocate(&heap, 1000)), kept);
    assert_int_equal(kept->size, size);
    assert_int_equal(sound_heap(NULL), 0);
    while (fake_os.maps == 1)
        assert_non_null(heap_allocate(&heap, 1000));
    assert_true(kept->blkcount > 800);
}

static void small_blocks_do_not_pin_large_spans(void **state)
{
    (void)state;
    char *large = heap_allocate(&heap, (4 << 20) - 2000);
    struct span *span = span_of(large);
    for (int i = 0; i < 100; i++)
        assert_ptr_not_equal(span_of(heap_allocate(&heap, 50)), span);
    heap_free(&heap, large);
    assert_int_equal(fake_os.unmaps, 1);
}

static void large_blocks_share_a_span(void **state)
{
    (void)state;
    if (!BUILD_SHARES_LARGE)
        skip();
    for (int i = 0; i < 3; i++) {
        void *one = heap_allocate(&heap, 700 << 10);
        void *other = heap_allocate(&heap, 1000 << 10);
        struct span *span = span_of(one);
        assert_ptr_equal(span_of(other), span);
        assert_int_equal(span->kind, SPAN_SHARED);
        assert_ptr_not_equal(span_of(heap_allocate(&heap, 50)), span);
        heap_free(&heap, other);
        assert_ptr_not_equal(span_of(heap_allocate(&heap, 100 << 10)), span);
        assert_int_equal(sound_heap(NULL), 0);
        heap_free(&heap, one);
        assert_ptr_equal(heap.spans.cached, span); /* although it is larger than others may be */
        assert_true(span->size > SPAN_CACHE_FIRST);
    }
    assert_int_equal(fake_os.unmaps, 0);
}

static void a_kept_shared_span_is_any_blocks(void **state)
{
    (void)state;
    if (!BUILD_SHARES_LARGE)
        skip();
    heap_free(&heap, heap_allocate(&heap, 300 << 10));
    struct span *span = heap.spans.cached;
    assert_ptr_equal(span_of(heap_allocate(&heap, 50)), span);
    assert_int_equal(span->kind, SPAN_ORDINARY);
    assert_true(span->size < HEAP_SHARED_BYTES / 4); /* its rest went back */
    assert_int_equal(sound_heap(NULL), 0);
}

static void blocks_above_half_of_a_shared_span_are_alone(void **state)
{
    (void)state;
    if (!BUILD_SHARES_LARGE)
        skip();
    size_t fits = HEAP_SHARED_BYTES / 2 - BLOCK_PAGE; /* with the headers of block and span */
    assert_int_equal(span_of(heap_allocate(&heap, fits))->kind, SPAN_SHARED);
    assert_int_equal(span_of(heap_allocate(&heap, fits + BLOCK_PAGE))->kind, SPAN_DEDICATED);
}

static void blocks_that_may_grow_are_alone(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 1000);
    p = heap_resize(&heap, p, 300 << 10);
    assert_int_equal(span_of(p)->kind, SPAN_DEDICATED);
    p = heap_resize(&heap, p, 900 << 10);
    assert_int_equal(span_of(p)->kind, SPAN_DEDICATED);
    assert_int_equal(fake_os.remaps, 1);
}

static void what_a_larger_block_left_waits_for_the_next(void **state)
{
    (void)state;
    if (BUILD_CUTS_CACHED)
        skip();
    enum { LARGER = 10 << 20 };
    for (int i = 0; i < 2; i++)
        heap_free(&heap, heap_allocate(&heap, LARGER));
    struct span *left = heap.spans.cached;
    assert_non_null(left);
    assert_ptr_not_equal(span_of(heap_allocate(&heap, 300 << 10)), left);
    assert_ptr_equal(span_of(heap_allocate(&heap, LARGER)), left);
}

/* What is free in them must not grow with the heap. */
static void no_more_than_a_few_spans_are_shared(void **state)
{
    (void)state;
    enum { BLOCKS = 200, EACH = 300 << 10 };
    void *blocks[BLOCKS];
    size_t shared = 0;
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = heap_allocate(&heap, EACH);
    for (const struct span *span = heap.spans.first; span; span = span->next)
        shared += span->kind == SPAN_SHARED;
    assert_int_equal(shared, BUILD_SHARES_LARGE ? HEAP_SHARED_MAX : 0);
    assert_int_equal(span_of(blocks[BLOCKS - 1])->kind, SPAN_DEDICATED);
    for (int i = 0; i < BLOCKS; i++)
        heap_free(&heap, blocks[i]);
    blocks[0] = heap_allocate(&heap, EACH); /* and when they have gone, others are */
    assert_int_equal(span_of(blocks[0])->kind, BUILD_SHARES_LARGE ? SPAN_SHARED : SPAN_DEDICATED);
}

/* There is no memory for a shared span, but there is for the block. */
static void large_blocks_do_without_sharing(void **state)
{
    (void)state;
    if (!BUILD_SHARES_LARGE)
        skip();
    fake_os.map_fails_in = 0;
    errno = EDOM;
    void *p = heap_allocate(&heap, 300 << 10);
    assert_non_null(p);
    assert_int_equal(fake_os.failures, 1);
    assert_int_equal(span_of(p)->kind, SPAN_DEDICATED);
    assert_int_equal(errno, EDOM);
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
    assert_null(heap_resize(&heap, p, SIZE_MAX - 5));
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
    heap_free(&heap, behind);
    assert_ptr_equal(heap_resize(&heap, p, 1500), p);
    assert_true(is_byte(p, 1000, 'b'));
    assert_ptr_equal(heap_resize(&heap, p, 2000), p);
}

static void resize_grows_into_the_block_before(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 1000); /* all the free space of the span is in front of it */
    char *end = p - BLOCK_HEADER + block_gross(1000);
    memset(p, 'f', 1000);
    char *grown = heap_resize(&heap, p, 5000);
    assert_ptr_equal(grown, end - block_gross(5000) + BLOCK_HEADER);
    assert_true(is_byte(grown, 1000, 'f'));
    assert_int_equal(span_of(grown)->blkcount, 1);
    size_t all = span_of(grown)->size - SPAN_HEADER - BLOCK_HEADER - SPAN_TAIL;
    assert_non_null(heap_resize(&heap, grown, all));
    assert_int_equal(fake_os.maps, 1);
}

static void resize_uses_both_neighbours(void **state)
{
    (void)state;
    char *row[5];
    for (int i = 4; i >= 0; i--)
        row[i] = heap_allocate(&heap, 1000);
    memset(row[2], 'm', 1000);
    heap_free(&heap, row[1]);
    heap_free(&heap, row[3]);
    char *grown = heap_resize(&heap, row[2], 2900);
    assert_true(grown >= row[1] && grown < row[2]);
    assert_true(is_byte(grown, 1000, 'm'));
}

static void resize_shrinks_in_place(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 10000);
    memset(p, 's', 10000);
    assert_ptr_equal(heap_resize(&heap, p, 100), p);
    assert_int_equal(block_size(block_from_payload(p)), block_gross(100));
    assert_true(is_byte(p, 100, 's'));
    assert_int_equal((unsigned char)p[5000], BUILD_POISONS ? BLOCK_POISON : 's');
}

static void resize_frees_the_smallest_block_there_is(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 10000);
    size_t usable = heap_usable_size(p);
    assert_ptr_equal(heap_resize(&heap, p, usable - ALIGNMENT), p);
    assert_int_equal(heap_usable_size(p), usable);
    assert_ptr_equal(heap_resize(&heap, p, usable - BLOCK_MIN), p);
    assert_int_equal(heap_usable_size(p), usable - BLOCK_MIN);
}

static void resize_moves_when_it_must(void **state)
{
    (void)state;
    char *row[3];
    for (int i = 2; i >= 0; i--)
        row[i] = heap_allocate(&heap, 20000);
    memset(row[2], 'v', 20000);
    char *moved = heap_resize(&heap, row[2], 60000);
    assert_ptr_not_equal(span_of(moved), span_of(row[1]));
    assert_true(is_byte(moved, 20000, 'v'));
    assert_int_equal(span_of(row[1])->blkcount, 2);
}

static void large_block_gives_pages_back_when_it_shrinks(void **state)
{
    (void)state;
    char *p = heap_allocate(&heap, 16 << 20);
    memset(p, 'l', 16 << 20);
    char *shrunk = heap_resize(&heap, p, 1 << 20);
    assert_ptr_equal(shrunk, p);
    assert_true(fake_os.mapped < (1 << 20) + (64 << 10));
    assert_true(is_byte(p, 1 << 20, 'l'));
    shrunk = heap_resize(&heap, p, 1000);
    assert_true(is_byte(shrunk, 1000, 'l'));
    assert_int_equal(heap.spans.count, 1); /* not in the large span any more */
    assert_true(fake_os.mapped <= 2 * SPAN_MIN);
}

static void blocks_above_bin_large_are_large(void **state)
{
    (void)state;
    enum { MOST = BIN_LARGE - BLOCK_HEADER }; /* for a block among others */
    assert_int_not_equal(span_of(allocate_apart(MOST))->kind, SPAN_DEDICATED);
    char *large = allocate_apart(10 * MOST);
    assert_int_equal(span_of(large)->kind, SPAN_DEDICATED);
    large = heap_resize(&heap, large, MOST + 1);
    assert_int_equal(span_of(large)->kind, SPAN_DEDICATED);
    assert_int_not_equal(span_of(heap_resize(&heap, large, MOST))->kind, SPAN_DEDICATED);
    assert_int_equal(span_of(allocate_apart(MOST + 1))->kind, SPAN_DEDICATED);
}

static void large_block_grows_without_a_copy(void **state)
{
    (void)state;
    char *p = allocate_apart(1 << 20);
    memset(p, 'g', 1 << 20);
    for (size_t request = 2 << 20; request <= 64 << 20; request *= 2) {
        p = heap_resize(&heap, p, request);
        assert_non_null(p);
        assert_int_equal(heap_check(&heap, NULL), 0);
    }
    assert_true(is_byte(p, 1 << 20, 'g'));
    assert_true(is_byte(p + (1 << 20), 1 << 20, 0));
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(fake_os.remaps, 6);
    fake_os.maps_fail = true;
    assert_null(heap_resize(&heap, p, 128 << 20));
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
            assert_true(heap_usable_size(p) >= request);
            assert_int_equal(heap_check(&heap, NULL), 0);
        }
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
    assert_null(heap_resize(&heap, p, 1 << 20));
    assert_null(heap_allocate_aligned(&heap, 1 << 16, 100));
    assert_true(is_byte(p, 100, 'n'));
    assert_non_null(heap_allocate(&heap, 100)); /* there is still room in the span */
}

/* Sizes at which a header of 8 bytes has no room for a block's size, or for its distance. */
static void blocks_of_many_gigabytes(void **state)
{
    (void)state;
    const size_t gib = 1 << 30;
    const size_t sizes[] = {gib / 4 - 100, gib / 4 + 5000, gib / 3, 4 * gib - 100, 5 * gib + 77,
                            4 * gib + 1,   3 * gib,        gib / 4, 6 * gib,       gib};
    char *p = heap_allocate(&heap, 1000);
    memset(p, 'h', 1000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *resized = heap_resize(&heap, p, sizes[i]);
        if (!resized)
            skip(); /* the real system has not so much */
        p = resized;
        assert_true(heap_usable_size(p) >= sizes[i]);
        assert_true(is_byte(p, 1000, 'h'));
        p[sizes[i] - 1] = 'e';
        assert_int_equal(sound_heap(NULL), 0);
    }
    heap_free(&heap, p);
    assert_int_equal(fake_os.mapped, heap.spans.mapped);
}

static void aligned_blocks_of_many_megabytes(void **state)
{
    (void)state;
    const size_t sizes[] = {100, 250 << 20, 300 << 20};
    for (size_t i = 0; i < 3; i++) {
        for (size_t align = 64; align <= 512 << 20; align *= 8) {
            char *p = heap_allocate_aligned(&heap, align, sizes[i]);
            if (!p)
                skip();
            assert_int_equal((uintptr_t)p % align, 0);
            assert_int_equal(sound_heap(NULL), 0);
            p = heap_resize(&heap, p, sizes[i] / 2 + 1);
            assert_int_equal(sound_heap(NULL), 0);
            heap_free(&heap, p);
        }
    }
}

/* The system keeps all that is in front of the aligned place, more than headers of 8 bytes count.
 */
static void an_aligned_block_out_of_reach_is_refused(void **state)
{
    (void)state;
    const size_t align = 512 << 20;
    fake_os.place = (void *)((align << 16) + os_page_size());
    fake_os.unmaps_fail = true;
    errno = 0;
    void *p = heap_allocate_aligned(&heap, align, 100);
    assert_int_equal(p == NULL, SPAN_FAST);
    assert_int_equal(errno, p ? 0 : ENOMEM);
    assert_int_equal(heap.spans.cached_count, p ? 0 : 1); /* of use all the same */
}

/* The system does not take it back, so it serves what comes next. */
static void a_huge_span_that_is_refused_is_of_use(void **state)
{
    (void)state;
    char *huge = heap_allocate(&heap, 300 << 20);
    if (!huge)
        skip();
    fake_os.unmaps_fail = true;
    heap_free(&heap, huge);
    char *p = heap_allocate(&heap, 100);
    assert_int_equal(sound_heap(NULL), 0);
    heap_free(&heap, p);
}

static void heaps_do_not_know_each_other(void **state)
{
    (void)state;
    static struct heap other_heap;
    memset(&other_heap, 0, sizeof other_heap);
    char *mine = heap_allocate(&heap, 100);
    char *theirs = heap_allocate(&other_heap, 100);
    assert_ptr_not_equal(span_of(mine), span_of(theirs));
    assert_ptr_equal(span_of(theirs)->heap, &other_heap);
    heap_free(&other_heap, theirs);
    assert_int_equal(heap.spans.count, 1);
    assert_int_equal(heap_check(&other_heap, NULL), 0);
}

#define HEAP_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_heap, sound_heap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(large_spans_are_returned_untouched),
        HEAP_TEST(larger_empty_span_is_cached),
        HEAP_TEST(empty_span_above_the_limit_is_returned),
        HEAP_TEST(limit_learns_from_what_is_asked_for_again),
        HEAP_TEST(limit_learns_from_two_sizes_in_turn),
        HEAP_TEST(limit_learns_from_many_small_spans_at_once),
        HEAP_TEST(many_small_spans_teach_half_of_the_end_at_most),
        HEAP_TEST(a_heap_that_only_shrinks_learns_nothing),
        HEAP_TEST(small_blocks_take_the_cached_span_last_and_in_part),
        HEAP_TEST(edge_of_a_span_does_not_map_each_time),
        HEAP_TEST(a_refused_unmap_keeps_the_heap_sound),
        HEAP_TEST(heap_grows_in_larger_spans),
        HEAP_TEST(large_heaps_grow_by_huge_pages),
        HEAP_TEST(refused_trims_of_huge_pages_lose_nothing),
        HEAP_TEST(without_a_huge_page_a_small_span_does),
        HEAP_TEST(a_block_as_large_as_a_huge_page),
        HEAP_TEST(no_more_empty_spans_are_kept_than_should_be),
        HEAP_TEST(a_cached_span_serves_what_just_fits),
        HEAP_TEST(cached_spans_of_twice_the_size),
        HEAP_TEST(a_cached_span_is_stretched_for_a_larger_block),
        HEAP_TEST(a_cached_span_is_stretched_when_the_heap_grows),
        HEAP_TEST(a_cached_span_that_cannot_be_stretched_is_no_loss),
        HEAP_TEST(the_largest_cached_span_is_stretched),
        HEAP_TEST(much_too_large_cached_spans_are_left_alone),
        HEAP_TEST(cached_spans_are_cut_for_smaller_blocks),
        HEAP_TEST(the_smallest_cached_span_that_suffices_serves),
        HEAP_TEST(a_cached_span_that_cannot_be_trimmed_serves_whole),
        HEAP_TEST(small_blocks_do_not_pin_large_spans),
        HEAP_TEST(large_blocks_share_a_span),
        HEAP_TEST(a_kept_shared_span_is_any_blocks),
        HEAP_TEST(blocks_above_half_of_a_shared_span_are_alone),
        HEAP_TEST(blocks_that_may_grow_are_alone),
        HEAP_TEST(what_a_larger_block_left_waits_for_the_next),
        HEAP_TEST(no_more_than_a_few_spans_are_shared),
        HEAP_TEST(large_blocks_do_without_sharing),
        HEAP_TEST(refuses_what_overflows),
        HEAP_TEST(resize_grows_into_the_block_behind),
        HEAP_TEST(resize_grows_into_the_block_before),
        HEAP_TEST(resize_uses_both_neighbours),
        HEAP_TEST(resize_shrinks_in_place),
        HEAP_TEST(resize_frees_the_smallest_block_there_is),
        HEAP_TEST(resize_moves_when_it_must),
        HEAP_TEST(large_block_gives_pages_back_when_it_shrinks),
        HEAP_TEST(blocks_above_bin_large_are_large),
        HEAP_TEST(large_block_grows_without_a_copy),
        HEAP_TEST(aligned_blocks_leave_no_odd_rests),
        HEAP_TEST(no_memory_is_null_and_enomem),
        HEAP_TEST(blocks_of_many_gigabytes),
        HEAP_TEST(aligned_blocks_of_many_megabytes),
        HEAP_TEST(an_aligned_block_out_of_reach_is_refused),
        HEAP_TEST(a_huge_span_that_is_refused_is_of_use),
        HEAP_TEST(heaps_do_not_know_each_other),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
