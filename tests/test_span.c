/*
 * Spans: sizes, the list, what is kept and what is returned, on a system that counts, refuses, and
 * gives chosen addresses. No heap: blocks are laid by hand where one is needed.
 */
#include "allocator/os.h"
#include "allocator/prefault.h"
#include "allocator/span_cache.h"
#include "cmocka_all.h"
#include "fake_os.h"

#include <errno.h>
#include <string.h>

static struct spans spans;

static int clear(void **state)
{
    (void)state;
    memset(&spans, 0, sizeof spans);
    fake_os_reset();
    return 0;
}

/* The same for the list of spans that are kept. */
static void sound_kept(void)
{
    size_t count = 0;
    size_t bytes = 0;
    const struct span *prev = NULL;
    for (struct span *span = spans.cached; span; prev = span, span = span->indexed[0].next) {
        assert_int_equal(span->kind, SPAN_CACHED);
        assert_ptr_equal(span->indexed[0].prev, prev);
        count++;
        bytes += span->size;
    }
    assert_int_equal(count, spans.cached_count);
    assert_int_equal(bytes, spans.cached_bytes);
}

/* Counts agree with the list, which is linked both ways, and with the system. */
static int sound(void **state)
{
    (void)state;
    size_t count = 0;
    size_t mapped = 0;
    const struct span *prev = NULL;
    for (struct span *span = spans.first; span; prev = span, span = span->next) {
        assert_ptr_equal(span->prev, prev);
        assert_true(fake_os_holds(span, span->size));
        count++;
        mapped += span->size;
    }
    assert_int_equal(count, spans.count);
    assert_int_equal(mapped, spans.mapped);
    assert_int_equal(mapped, fake_os.mapped);
    sound_kept();
    return 0;
}

static struct span *map(size_t size)
{
    struct span *span = span_cache_map(&spans, size);
    assert_non_null(span);
    return span;
}

static bool is_listed(const struct span *wanted)
{
    const struct span *span = spans.first;
    while (span && span != wanted)
        span = span->next;
    return span != NULL;
}

static void sizes_are_whole_pages_and_at_least_the_minimum(void **state)
{
    (void)state;
    size_t last = 0;
    for (size_t gross = BLOCK_MIN; gross < 1 << 20; gross += 16 * ALIGNMENT) {
        size_t size = span_size_for(gross);
        assert_true(size >= SPAN_MIN && size >= last);
        assert_int_equal(size % os_page_size(), 0);
        assert_true(size >= gross + SPAN_HEADER);
        assert_true(size == SPAN_MIN || size < gross + SPAN_HEADER + os_page_size());
        last = size;
    }
    assert_true(span_size_for(block_gross(BLOCK_REQUEST_MAX)) > BLOCK_REQUEST_MAX);
}

static void a_new_span_is_empty_and_listed(void **state)
{
    (void)state;
    struct span *span = map(SPAN_MIN);
    assert_int_equal(span->size, SPAN_MIN);
    assert_int_equal(span->blkcount, 0);
    assert_int_equal(bins_highest(&span->bins), -1);
    assert_ptr_equal(spans.first, span);
    assert_int_equal(fake_os.maps, 1);
    assert_int_equal(fake_os.last_bytes, SPAN_MIN);
    assert_null(spans.cached);
}

static void blocks_tile_the_rest_of_a_span(void **state)
{
    (void)state;
    struct span *span = map(2 * SPAN_MIN);
    char *payload = block_payload(span_first_block(span));
    assert_int_equal((uintptr_t)payload % ALIGNMENT, 0);
    assert_true((char *)span_first_block(span) >= (char *)span + sizeof *span);
    assert_true((char *)span_end(span) <= (char *)span + span->size);
    assert_true(span_holds(span, span_first_block(span)));
    assert_false(span_holds(span, span));
    assert_false(span_holds(span, span_end(span)));
    span_fill(span);
    struct block *block = span_first_block(span);
    assert_true(block_is_free(block));
    assert_false(block_prev_is_free(block));
    assert_ptr_equal(block_after(block), span_end(span));
    assert_int_equal(*block_footer(block), block_size(block));
    assert_ptr_equal(bins_find(&span->bins, block_size(block)), block);
}

static void spans_leave_the_list_from_any_place(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct span *row[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        row[i] = map(SPAN_MIN + i * SPAN_MIN);
    const size_t order[COUNT] = {2, 4, 0, 3, 1}; /* middle, first, last, then the rest */
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(span_unmap(&spans, row[order[i]]));
        assert_false(is_listed(row[order[i]]));
        assert_int_equal(spans.count, COUNT - 1 - i);
        sound(NULL);
    }
    assert_null(spans.first);
    assert_int_equal(fake_os.unmaps, COUNT);
}

static void addresses_of_any_height_do(void **state)
{
    (void)state;
    /* Low, and next to each other, the lower one second; the high end is what programs have. */
    char *const low = (char *)0x10000000;
    fake_os.place = low + SPAN_MIN;
    struct span *second = map(SPAN_MIN);
    fake_os.place = low;
    struct span *first = map(SPAN_MIN);
    assert_ptr_equal(first, low);
    assert_false(span_holds(first, second));
    assert_false(span_holds(second, span_end(first)));
    fake_os.place = (char *)0x7effffff0000;
    struct span *high = map(SPAN_MIN);
    struct span *all[] = {first, second, high};
    for (int i = 0; i < 3; i++) {
        span_fill(all[i]);
        struct block *block = span_first_block(all[i]);
        assert_ptr_equal(block_owner(block), all[i]);
        block_make_used(block, all[i], block_size(block), true);
        assert_ptr_equal(block_owner(block), all[i]);
    }
}

static void a_refused_map_changes_nothing(void **state)
{
    (void)state;
    struct span *span = map(SPAN_MIN);
    fake_os.map_fails_in = 0;
    errno = 0;
    assert_null(span_cache_map(&spans, 4 * SPAN_MIN));
    assert_int_equal(errno, ENOMEM);
    assert_ptr_equal(spans.first, span);
    assert_int_equal(spans.count, 1);
    map(4 * SPAN_MIN); /* once only */
    fake_os.map_fails_in = 2;
    map(SPAN_MIN);
    map(SPAN_MIN);
    assert_null(span_cache_map(&spans, SPAN_MIN));
    assert_int_equal(fake_os.failures, 2);
}

static void a_refused_unmap_changes_nothing(void **state)
{
    (void)state;
    struct span *first = map(SPAN_MIN);
    struct span *second = map(SPAN_MIN);
    span_cache_put(&spans, first);
    fake_os.unmaps_fail = true;
    assert_false(span_cache_unmap(&spans, first));
    assert_false(span_unmap(&spans, second));
    assert_ptr_equal(spans.cached, first);
    assert_int_equal(first->kind, SPAN_CACHED);
    assert_int_not_equal(second->kind, SPAN_CACHED);
    assert_true(is_listed(first) && is_listed(second));
    assert_int_equal(spans.refusals, 2);
    fake_os.unmaps_fail = false;
    assert_true(span_cache_unmap(&spans, first));
    assert_null(spans.cached);
}

static void unmapping_another_keeps_the_cached_one(void **state)
{
    (void)state;
    struct span *first = map(SPAN_MIN);
    struct span *second = map(SPAN_MIN);
    span_cache_put(&spans, first);
    assert_true(span_unmap(&spans, second));
    assert_ptr_equal(spans.cached, first);
}

static void growing_keeps_contents_and_neighbours(void **state)
{
    (void)state;
    struct span *before = map(SPAN_MIN);
    struct span *span = map(2 * SPAN_MIN);
    struct span *after = map(SPAN_MIN);
    char *last_page = (char *)span + 2 * SPAN_MIN - os_page_size();
    memset(last_page, 'g', os_page_size());
    span = span_cache_remap(&spans, span, 64 * SPAN_MIN, 64 * SPAN_MIN);
    assert_non_null(span);
    assert_int_equal(span->size, 64 * SPAN_MIN);
    assert_true(is_listed(before) && is_listed(span) && is_listed(after));
    assert_int_equal(((char *)span)[2 * SPAN_MIN - 1], 'g');
    assert_int_equal(((char *)span)[2 * SPAN_MIN], 0);
    assert_int_equal(fake_os.remaps, 1);
}

static void a_refused_remap_changes_nothing(void **state)
{
    (void)state;
    map(SPAN_MIN);
    struct span *span = map(2 * SPAN_MIN);
    memset(span_first_block(span), 'r', SPAN_MIN);
    fake_os.maps_fail = true;
    errno = 0;
    assert_null(span_cache_remap(&spans, span, 64 * SPAN_MIN, 64 * SPAN_MIN));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(span->size, 2 * SPAN_MIN);
    assert_true(is_listed(span));
    assert_int_equal(((char *)span_first_block(span))[SPAN_MIN - 1], 'r');
}

static void trimming_returns_whole_pages_only(void **state)
{
    (void)state;
    struct span *span = map(8 * SPAN_MIN);
    span_trim(&spans, span, 8 * SPAN_MIN - os_page_size() + 1);
    assert_int_equal(span->size, 8 * SPAN_MIN);
    assert_int_equal(fake_os.unmaps, 0);
    span_trim(&spans, span, 4 * SPAN_MIN + 1);
    assert_int_equal(span->size, 4 * SPAN_MIN + os_page_size());
    span_trim(&spans, span, 1);
    assert_int_equal(span->size, SPAN_MIN); /* never less */
    assert_int_equal(fake_os.unmaps, 2);
}

static void a_refused_trim_changes_nothing(void **state)
{
    (void)state;
    struct span *span = map(8 * SPAN_MIN);
    fake_os.unmaps_fail = true;
    span_trim(&spans, span, SPAN_MIN);
    assert_int_equal(span->size, 8 * SPAN_MIN);
}

static void small_empty_spans_are_worth_keeping(void **state)
{
    (void)state;
    assert_true(span_cache_wants(&spans, map(SPAN_MIN)));
    assert_true(span_cache_wants(&spans, map(SPAN_CACHE_FIRST)));
}

static void where_one_is_kept_the_larger_is(void **state)
{
    (void)state;
    struct span *small = map(SPAN_MIN);
    struct span *large = map(2 * SPAN_MIN);
    span_cache_put(&spans, small);
    assert_true(span_cache_wants(&spans, large));
    span_cache_take(&spans, small, SPAN_ORDINARY);
    span_cache_put(&spans, large);
    assert_int_equal(span_cache_wants(&spans, small), BUILD_SPANS_CACHED > 1);
}

static void cached_spans_leave_from_any_place(void **state)
{
    (void)state;
    struct span *row[] = {map(SPAN_MIN), map(2 * SPAN_MIN), map(3 * SPAN_MIN), map(SPAN_MIN)};
    for (int i = 0; i < 4; i++)
        span_cache_put(&spans, row[i]);
    assert_ptr_equal(spans.cached, row[3]);
    const int order[] = {1, 3, 0, 2};
    for (int i = 0; i < 4; i++) {
        span_cache_take(&spans, row[order[i]], SPAN_ORDINARY);
        assert_int_not_equal(row[order[i]]->kind, SPAN_CACHED);
        assert_true(is_listed(row[order[i]]));
        sound(NULL);
    }
    assert_null(spans.cached);
}

static void cached_spans_are_bounded_in_number_and_bytes(void **state)
{
    (void)state;
    assert_false(span_cache_is_full(&spans, 2 * SPAN_CACHE_LAST)); /* than none at all */
    spans.cache_limit = SPAN_CACHE_LAST;
    for (int i = 0; i < BUILD_SPANS_CACHED - 1; i++)
        span_cache_put(&spans, map(SPAN_MIN));
    assert_false(span_cache_is_full(&spans, SPAN_MIN));
    span_cache_put(&spans, map(SPAN_MIN));
    assert_true(span_cache_is_full(&spans, SPAN_MIN));
    while (spans.cached)
        span_cache_unmap(&spans, spans.cached);
    spans.cache_limit = 0;
    span_cache_put(&spans, map(SPAN_CACHE_FIRST - SPAN_MIN));
    assert_true(span_cache_is_full(&spans, 2 * SPAN_MIN));
}

static void the_span_that_was_emptied_first_goes_first(void **state)
{
    (void)state;
    struct span *row[] = {map(SPAN_MIN), map(2 * SPAN_MIN), map(SPAN_MIN)};
    for (int i = 0; i < 3; i++)
        span_cache_put(&spans, row[i]);
    fake_os.unmap_fails_in = 0;
    assert_false(span_cache_evict(&spans, SPAN_MIN));
    assert_int_equal(spans.cached_count, 3);
    while (spans.cached_count)
        assert_true(span_cache_evict(&spans, SPAN_MIN));
    assert_int_equal(spans.count, 0);
}

static void what_is_too_large_is_learnt(void **state)
{
    (void)state;
    struct span *large = map(SPAN_CACHE_FIRST + SPAN_MIN);
    assert_false(span_cache_wants(&spans, large));
    assert_true(span_unmap(&spans, large));
    large = map(SPAN_CACHE_FIRST + SPAN_MIN); /* so it should have been kept */
    assert_true(span_cache_wants(&spans, large));
    struct span *huge = map(2 * SPAN_CACHE_LAST);
    assert_false(span_cache_wants(&spans, huge));
    assert_true(span_unmap(&spans, huge));
    assert_false(span_cache_wants(&spans, map(2 * SPAN_CACHE_LAST)));
}

static void growing_learns_as_mapping_does(void **state)
{
    (void)state;
    struct span *small = map(SPAN_MIN);
    struct span *large = map(SPAN_CACHE_FIRST + SPAN_MIN);
    assert_false(span_cache_wants(&spans, large));
    assert_true(span_unmap(&spans, large));
    const size_t size = SPAN_CACHE_FIRST + SPAN_MIN;
    small = span_cache_remap(&spans, small, 2 * SPAN_MIN, 2 * size); /* none served instead */
    assert_int_equal(spans.cache_limit, 0);
    struct span *grown = span_cache_remap(&spans, small, size, size);
    assert_non_null(grown);
    assert_true(span_cache_wants(&spans, grown));
}

/* Where more than one is kept, one that had to go for others is missed as well. */
static void too_few_kept_is_learnt(void **state)
{
    (void)state;
    const size_t size = SPAN_CACHE_FIRST / 4 * 3;
    struct span *kept = map(size);
    span_cache_put(&spans, kept);
    assert_true(span_cache_is_full(&spans, size));
    assert_true(span_cache_evict(&spans, size));
    assert_int_equal(is_listed(kept), BUILD_CUTS_CACHED); /* a part of it */
    assert_true(spans.cached_bytes < size);
    map(size);
    assert_int_equal(spans.cache_limit > SPAN_CACHE_FIRST, BUILD_SPANS_CACHED > 1);
}

static void no_more_is_learnt_than_a_few_spans(void **state)
{
    (void)state;
    enum { SIZE = SPAN_CACHE_LAST / SPAN_CACHE_FEW / 2, MORE = SPAN_CACHE_FEW + 4 };
    const size_t few = SPAN_CACHE_FEW * SIZE;
    spans.cache_limit = few - SPAN_MIN;
    struct span *row[MORE];
    for (int i = 0; i < MORE; i++)
        row[i] = map(SIZE);
    for (int i = 0; i < MORE; i++)
        span_cache_put(&spans, row[i]);
    assert_true(span_cache_evict(&spans, SIZE));
    map(SIZE);
    assert_int_equal(spans.cache_limit, BUILD_SPANS_CACHED > 1 ? few : few - SPAN_MIN);
}

static void the_limit_never_shrinks(void **state)
{
    (void)state;
    const size_t size = 2 * SPAN_CACHE_FIRST;
    struct span *large = map(size);
    assert_false(span_cache_wants(&spans, large));
    assert_true(span_unmap(&spans, large));
    map(size);
    assert_int_equal(spans.cache_limit, size);
    span_cache_put(&spans, map(SPAN_MIN));
    assert_true(span_cache_evict(&spans, SPAN_MIN));
    map(SPAN_MIN); /* would have been kept by less */
    assert_int_equal(spans.cache_limit, size);
}

static void nothing_is_learnt_from_other_sizes(void **state)
{
    (void)state;
    struct span *large = map(SPAN_CACHE_FIRST + SPAN_MIN);
    assert_false(span_cache_wants(&spans, large));
    assert_true(span_unmap(&spans, large));
    large = map(SPAN_CACHE_FIRST + 2 * SPAN_MIN); /* which the other one would not have served */
    assert_int_equal(spans.cache_limit, 0);
    assert_false(span_cache_wants(&spans, large));
    map(SPAN_MIN); /* while this could have had room in the last one */
    assert_true(span_cache_wants(&spans, large));
}

static struct span *map_dedicated(size_t size)
{
    struct span *span = map(size);
    span_set_kind(&spans, span, SPAN_DEDICATED);
    return span;
}

static void dedicated_spans_allow_more_to_be_kept(void **state)
{
    (void)state;
    struct span *live = map_dedicated(SPAN_CACHE_FIRST);
    assert_int_equal(spans.dedicated, SPAN_CACHE_FIRST);
    struct span *large = map_dedicated(SPAN_CACHE_TIMES * SPAN_CACHE_FIRST);
    assert_int_equal(span_cache_wants(&spans, large), BUILD_CUTS_CACHED);
    if (!BUILD_CUTS_CACHED)
        return;
    span_cache_put(&spans, large);
    span_cache_return_excess(&spans);
    assert_int_equal(spans.cached_bytes, SPAN_CACHE_TIMES * SPAN_CACHE_FIRST);
    assert_false(
        span_cache_wants(&spans, map_dedicated(SPAN_CACHE_TIMES * SPAN_CACHE_FIRST +
                                               live->size * SPAN_CACHE_TIMES * SPAN_CACHE_TIMES)));
    while (spans.dedicated) {
        struct span *span = spans.first;
        while (span->kind != SPAN_DEDICATED)
            span = span->next;
        span_unmap(&spans, span);
    }
    span_cache_return_excess(&spans); /* nobody who needs them is left */
    assert_int_equal(spans.cached_bytes, SPAN_CACHE_FIRST);
}

static void spans_are_cut_and_merged(void **state)
{
    (void)state;
    struct span *span = map(8 * SPAN_MIN);
    memset(span_first_block(span), 0xff, 6 * SPAN_MIN); /* where blocks were */
    span_cache_split(&spans, span, 3 * SPAN_MIN);
    struct span *rest = spans.cached;
    assert_ptr_equal(rest, (char *)span + 3 * SPAN_MIN);
    assert_int_equal(span->size, 3 * SPAN_MIN);
    assert_int_equal(rest->size, 5 * SPAN_MIN);
    assert_int_equal(spans.count, 2);
    sound(NULL);
    assert_ptr_equal(span_cache_merge(&spans, span), span);
    assert_null(spans.cached);
    assert_int_equal(span->size, 8 * SPAN_MIN);
    assert_int_equal(block_size(span_first_block(span)), 8 * SPAN_MIN - SPAN_HEADER - SPAN_TAIL);
}

/* The heap was larger once: what is kept stays until it is as large again. */
static void cached_spans_make_way_before_the_heap_is_larger_than_ever(void **state)
{
    (void)state;
    if (!BUILD_CUTS_CACHED)
        skip();
    enum { KEPT = 8 * SPAN_CACHE_FIRST };
    struct span *span = map(KEPT);
    map_dedicated(2 * SPAN_CACHE_FIRST);
    size_t most = spans.mapped;
    span_cache_put(&spans, span);
    map(SPAN_CACHE_FIRST);
    assert_true(spans.mapped <= most);
    assert_true(spans.cached_bytes >= KEPT - SPAN_CACHE_FIRST - SPAN_CACHE_FIRST / 8);
    map(2 * KEPT);
    assert_int_equal(spans.cached_bytes, SPAN_CACHE_FIRST); /* what is kept in any case */
}

/* Its first bytes to its last on one huge page, as the system has been told. */
static void assert_huge(struct span *span)
{
    assert_non_null(span);
    assert_int_equal(span->size, OS_HUGE_PAGE);
    assert_int_equal((uintptr_t)span % OS_HUGE_PAGE, 0);
    sound(NULL);
}

static void huge_spans_are_huge_pages(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 4; i++) {
        assert_huge(span_cache_map_huge(&spans));
        assert_int_equal(fake_os.expected, i * OS_HUGE_PAGE);
        map(SPAN_MIN); /* so that the next one lies elsewhere in its mapping */
    }
    /* A mapping that begins with a huge page, and one that ends so. */
    char *const low = (char *)0x40000000;
    fake_os.place = low;
    assert_huge(span_cache_map_huge(&spans));
    assert_true(is_listed((struct span *)low));
    assert_true(span_unmap(&spans, (struct span *)low));
    fake_os.place = low - os_page_size() - OS_HUGE_PAGE;
    assert_huge(span_cache_map_huge(&spans));
    assert_true(is_listed((struct span *)(low - OS_HUGE_PAGE)));
}

/* What lies around the huge page cannot be given back, and so belongs to the span. */
static void refused_unmaps_around_a_huge_span_lose_nothing(void **state)
{
    (void)state;
    for (long n = 0; n < 3; n++) {
        fake_os.place = (char *)0x60000000 - os_page_size();
        fake_os.unmap_fails_in = n;
        struct span *span = span_cache_map_huge(&spans);
        fake_os.unmap_fails_in = FAKE_OS_NEVER;
        assert_non_null(span);
        sound(NULL);
        assert_true(span_unmap(&spans, span));
    }
    fake_os.unmaps_fail = true;
    assert_int_equal(span_cache_map_huge(&spans)->size, 2 * OS_HUGE_PAGE);
    sound(NULL);
    fake_os.maps_fail = true;
    errno = 0;
    assert_null(span_cache_map_huge(&spans));
    assert_int_equal(errno, ENOMEM);
}

static void aligned_spans_hold_their_block_and_no_other_page(void **state)
{
    (void)state;
    for (size_t align = os_page_size(); align <= 64 << 20; align *= 4) {
        for (size_t request = 1; request < 10 << 20; request = request * 40 + 1) {
            struct block *block;
            size_t gross = block_gross(request);
            struct span *span = span_map_aligned(&spans, align, gross, &block);
            assert_non_null(span);
            assert_int_equal((uintptr_t)block_payload(block) % align, 0);
            assert_true((char *)block >= (char *)span_first_block(span) + BLOCK_MIN);
            assert_true((char *)block + gross <= (char *)span_end(span));
            assert_true(span->size <= span_size_for(gross) + os_page_size());
            sound(NULL);
        }
    }
}

/* What lies in front of and behind an aligned block cannot be given back, or the block not had. */
static void refused_unmaps_around_an_aligned_block_lose_nothing(void **state)
{
    (void)state;
    struct block *block;
    for (long n = 0; n < 4; n++) {
        fake_os.unmap_fails_in = n;
        errno = 0;
        struct span *span = span_map_aligned(&spans, SPAN_MIN * 4, 100, &block);
        assert_true(span || errno == ENOMEM);
        sound(NULL);
    }
    fake_os.unmaps_fail = true;
    span_map_aligned(&spans, SPAN_MIN * 4, 100, &block);
    sound(NULL);
    fake_os.maps_fail = true;
    assert_null(span_map_aligned(&spans, SPAN_MIN * 4, 100, &block));
}

#define SPAN_TEST(name) cmocka_unit_test_setup_teardown(name, clear, sound)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPAN_TEST(sizes_are_whole_pages_and_at_least_the_minimum),
        SPAN_TEST(a_new_span_is_empty_and_listed),
        SPAN_TEST(blocks_tile_the_rest_of_a_span),
        SPAN_TEST(spans_leave_the_list_from_any_place),
        SPAN_TEST(addresses_of_any_height_do),
        SPAN_TEST(a_refused_map_changes_nothing),
        SPAN_TEST(a_refused_unmap_changes_nothing),
        SPAN_TEST(unmapping_another_keeps_the_cached_one),
        SPAN_TEST(growing_keeps_contents_and_neighbours),
        SPAN_TEST(a_refused_remap_changes_nothing),
        SPAN_TEST(trimming_returns_whole_pages_only),
        SPAN_TEST(a_refused_trim_changes_nothing),
        SPAN_TEST(aligned_spans_hold_their_block_and_no_other_page),
        SPAN_TEST(refused_unmaps_around_an_aligned_block_lose_nothing),
        SPAN_TEST(small_empty_spans_are_worth_keeping),
        SPAN_TEST(where_one_is_kept_the_larger_is),
        SPAN_TEST(cached_spans_leave_from_any_place),
        SPAN_TEST(cached_spans_are_bounded_in_number_and_bytes),
        SPAN_TEST(the_span_that_was_emptied_first_goes_first),
        SPAN_TEST(what_is_too_large_is_learnt),
        SPAN_TEST(growing_learns_as_mapping_does),
        SPAN_TEST(dedicated_spans_allow_more_to_be_kept),
        SPAN_TEST(spans_are_cut_and_merged),
        SPAN_TEST(cached_spans_make_way_before_the_heap_is_larger_than_ever),
        SPAN_TEST(too_few_kept_is_learnt),
        SPAN_TEST(no_more_is_learnt_than_a_few_spans),
        SPAN_TEST(the_limit_never_shrinks),
        SPAN_TEST(nothing_is_learnt_from_other_sizes),
        SPAN_TEST(huge_spans_are_huge_pages),
        SPAN_TEST(refused_unmaps_around_a_huge_span_lose_nothing),
    };
    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
