/*
 * heap_check finds what it says it finds: a heap with a bit of everything is made, one thing in it
 * is falsified, and the recount must tell. A sound heap gives no fault.
 */
#include "allocator/check.h"
#if SPAN_FAST
#include "allocator/deferred.h"
#endif
#include "allocator/os.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"

#include <string.h>
#include <unistd.h>

enum { ROW = 9, SMALL = 100, HALF_SPAN = 40 * 1024, LARGE = HEAP_SHARED_BYTES };

/*
 * What the heap is made of: nine small blocks one behind the other, of which 2, 4 and 6 are free; a
 * second span with one block, and free room; a dedicated span; and an empty span that is cached.
 */
static struct block *row[ROW];
static struct span *span;
static struct span *other;
static struct span *dedicated;
static struct span *cached;

static struct block *allocate(size_t request)
{
    void *p = heap_allocate(&heap, request);
    assert_non_null(p);
    return block_from_payload(p);
}

static void release(struct block *block)
{
    heap_free(&heap, block_payload(block));
}

/* The lowest bin by which a span is indexed. */
static unsigned indexed_bin(const struct span *indexed)
{
    return (unsigned)__builtin_ctzl(indexed->indexed_map);
}

static int make_heap(void **state)
{
    alarm(30); /* a walk without end would hang the test, not fail it */
    fresh_heap(state);
    for (int i = ROW; i-- > 0;)
        row[i] = allocate(SMALL);
    for (int i = 0; i < ROW - 1; i++)
        assert_ptr_equal(block_after(row[i]), row[i + 1]);
    for (int i = 2; i < ROW - 2; i += 2)
        release(row[i]);
    allocate(HALF_SPAN);
    other = span_of(block_payload(allocate(HALF_SPAN + SPAN_MIN / 8))); /* another bin */
    dedicated = span_of(block_payload(allocate(LARGE)));
    release(allocate(SPAN_CACHE_FIRST / 2));
    span = block_owner(row[0]);
    assert_ptr_not_equal(span, other);
    assert_int_not_equal(indexed_bin(span), indexed_bin(other));
    cached = heap.spans.cached;
    assert_non_null(cached);
    assert_int_equal(heap_check(&heap, NULL), 0);
    return 0;
}

/* The recount tells at least one fault, the first in these words. */
static void expect_fault(const char *what)
{
    char report[CHECK_REPORT_MAX];
    unsigned faults = heap_check(&heap, report);
    assert_true(faults > 0);
    if (!strstr(report, what))
        fail_msg("\"%s\", not \"%s\"", report, what);
    assert_int_equal(heap_check(&heap, NULL), faults); /* without a report, too */
}

static void a_sound_heap_has_no_fault(void **state)
{
    (void)state;
    char report[CHECK_REPORT_MAX] = "old";
    assert_int_equal(heap_check(&heap, report), 0);
    assert_string_equal(report, "");
    memset(&heap, 0, sizeof heap);
    assert_int_equal(heap_check(&heap, report), 0);
}

static void spans_linked_wrongly_back(void **state)
{
    (void)state;
    heap.spans.first->next->prev = NULL;
    expect_fault("list of spans is not linked back");
}

static void a_cycle_of_spans(void **state)
{
    (void)state;
    struct span *last = heap.spans.first;
    while (last->next)
        last = last->next;
    last->next = heap.spans.first->next;
    expect_fault("list of spans is not linked back");
    last->next = heap.spans.first;
    expect_fault("list of spans is not linked back");
}

static void a_span_that_begins_no_page(void **state)
{
    (void)state;
    heap.spans.first->next = (struct span *)((char *)heap.spans.first->next + ALIGNMENT);
    expect_fault("span does not begin a page");
}

static void sizes_that_no_span_has(void **state)
{
    (void)state;
    size_t size = span->size;
    const size_t wrong[] = {0, SPAN_MIN - os_page_size(), size + ALIGNMENT, SIZE_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        span->size = wrong[i];
        expect_fault("size of a span is impossible");
    }
    span->size = size + SPAN_MIN; /* which is not followed there */
    expect_fault("");
}

static void spans_that_overlap(void **state)
{
    (void)state;
    /* A span in the middle of another, as if its pages had been handed out twice. */
    struct span *inner = (struct span *)((char *)dedicated + LARGE / 2);
    memset(inner, 0, sizeof *inner);
    inner->size = SPAN_MIN;
    inner->indexed_map = 0;
    inner->next = heap.spans.first;
    inner->next->prev = inner;
    heap.spans.first = inner;
    expect_fault("spans overlap");
}

static void a_span_too_few(void **state)
{
    (void)state;
    heap.spans.count++;
    expect_fault("count of spans is wrong");
}

static void bytes_mapped_wrongly_counted(void **state)
{
    (void)state;
    heap.spans.mapped -= SPAN_MIN;
    expect_fault("mapped bytes are wrong");
}

static void blocks_that_leave_the_span(void **state)
{
    (void)state;
    struct block *last = row[ROW - 1];
    block_set_size(last, block_size(last) + ALIGNMENT);
    expect_fault("size is impossible");
}

static void blocks_that_do_not_reach_the_end(void **state)
{
    (void)state;
    struct block *last = row[ROW - 1];
    block_set_size(last, block_size(last) - ALIGNMENT);
    expect_fault("size is impossible"); /* of what seems to be behind it */
}

static void a_block_too_small_to_be_one(void **state)
{
    (void)state;
    block_set_size(row[1], BLOCK_MIN - ALIGNMENT);
    expect_fault("size is impossible");
}

static void a_footer_that_is_not_the_tag(void **state)
{
    (void)state;
    *block_footer(row[2]) += ALIGNMENT;
    expect_fault("footer and tag differ");
}

static void a_flag_that_says_free(void **state)
{
    (void)state;
    block_set_prev_used(row[1], false);
    expect_fault("flag of the previous block lies");
}

static void a_flag_that_says_used(void **state)
{
    (void)state;
    block_set_prev_used(row[3], true);
    expect_fault("flag of the previous block lies");
}

static void the_first_block_has_nothing_before_it(void **state)
{
    (void)state;
    block_set_prev_used(span_first_block(span), false);
    expect_fault("flag of the previous block lies");
}

static void free_neighbours(void **state)
{
    (void)state;
    /* All else is as it should be: in its bin, with a footer, flagged and counted. */
    block_make_free(row[3], span, block_size(row[3]), false);
    bins_put(&span->bins, bin_of(block_size(row[3])), row[3]);
    block_set_prev_used(row[4], false);
    span->blkcount--;
    expect_fault("two free blocks touch");
}

static void a_free_block_in_no_bin(void **state)
{
    (void)state;
    bins_take(&span->bins, bin_of(block_size(row[4])), row[4]);
    expect_fault("free block is not in its bin");
}

static void a_free_block_in_a_wrong_bin(void **state)
{
    (void)state;
    bins_take(&span->bins, bin_of(block_size(row[4])), row[4]);
    size_t gross = block_size(row[4]);
    block_set_size(row[4], 2 * gross);
    bins_put(&span->bins, bin_of(block_size(row[4])), row[4]);
    block_set_size(row[4], gross);
    expect_fault("block is in a wrong bin");
}

static void a_free_block_in_two_bins(void **state)
{
    (void)state;
    /* The head of the right one, so that its links do for both. */
    struct block *head = span->bins.first[bin_of(block_size(row[4]))];
    unsigned bin = bin_of(2 * block_size(row[4]));
    assert_null(span->bins.first[bin]);
    span->bins.first[bin] = head;
    span->bins.map |= UINT64_C(1) << bin;
    expect_fault("block is in a wrong bin");
}

static void a_used_block_in_a_bin(void **state)
{
    (void)state;
    bins_put(&span->bins, bin_of(block_size(row[1])), row[1]);
    expect_fault("used block is in a bin");
}

/* Looks like a free block and is linked like one, in place of one of the same size. */
static void a_block_in_a_bin_that_is_none(void **state)
{
    (void)state;
    struct block *whole = span_first_block(span);
    struct block *inner = block_at(whole, 1024);
    bins_take(&span->bins, bin_of(block_size(row[4])), row[4]);
    block_make_free(inner, span, block_size(row[4]), true);
    bins_put(&span->bins, bin_of(block_size(inner)), inner);
    expect_fault("free block is not in its bin");
    bins_put(&span->bins, bin_of(block_size(row[4])), row[4]);
    expect_fault("bins hold other blocks than the span");
}

static void links_that_lead_out_of_the_span(void **state)
{
    (void)state;
    struct block *first = span->bins.first[bin_of(block_size(row[2]))];
    struct block *const wild[] = {(struct block *)(uintptr_t)0xdfdfdfdfdfdfdfdf,
                                  (struct block *)span, span_end(span),
                                  block_at(row[2], ALIGNMENT / 2)};
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        first->next = wild[i];
        expect_fault("span has a block that is not in it");
    }
    first->next = block_at(span_end(span), -(size_t)ALIGNMENT); /* too near to the end */
    expect_fault("size is impossible");
}

static void a_cycle_in_a_bin(void **state)
{
    (void)state;
    struct block *first = span->bins.first[bin_of(block_size(row[2]))];
    struct block *last = first->next->next;
    assert_non_null(last);
    last->next = first;
    expect_fault("bin is not linked back");
    last->next = last;
    expect_fault("bin is not linked back");
}

static void a_bin_linked_wrongly_back(void **state)
{
    (void)state;
    struct block *first = span->bins.first[bin_of(block_size(row[2]))];
    assert_non_null(first->next);
    first->next->prev = NULL;
    expect_fault("bin is not linked back");
}

static void a_bitmap_with_a_bit_too_many(void **state)
{
    (void)state;
    span->bins.map |= UINT64_C(1) << bin_of(2 * block_size(row[2]));
    expect_fault("bitmap of bins lies");
}

static void a_bitmap_with_a_bit_too_few(void **state)
{
    (void)state;
    span->bins.map &= ~(UINT64_C(1) << bin_of(block_size(row[2])));
    expect_fault("bitmap of bins lies");
}

static void a_bitmap_with_a_bit_for_no_bin(void **state)
{
    (void)state;
    span->bins.map |= UINT64_C(1) << 63;
    expect_fault("bitmap of bins lies");
    span->bins.map &= ~(UINT64_C(1) << 63);
    heap.indexed_map |= UINT64_C(1) << 63;
    expect_fault("bitmap of indexed spans lies");
}

static void blocks_wrongly_counted(void **state)
{
    (void)state;
    span->blkcount++;
    expect_fault("blkcount is not the number of used blocks");
}

static void an_empty_span_that_is_not_cached(void **state)
{
    (void)state;
    span_cache_take(&heap.spans, cached, SPAN_ORDINARY);
    expect_fault("empty spans and the cached ones differ");
}

static void a_cached_span_with_blocks(void **state)
{
    (void)state;
    cached->blkcount++;
    expect_fault("empty spans and the cached ones differ");
    cached->blkcount--;
    other->kind = SPAN_CACHED;
    expect_fault("empty spans and the cached ones differ");
}

static void cached_spans_that_are_not_listed(void **state)
{
    (void)state;
    heap.spans.cached = NULL;
    heap.spans.cached_count = 0;
    heap.spans.cached_bytes = 0;
    expect_fault("cached span is not listed");
}

static void cached_spans_wrongly_counted(void **state)
{
    (void)state;
    heap.spans.cached_count++;
    expect_fault("count of cached spans is wrong");
    heap.spans.cached_count--;
    heap.spans.cached_bytes++;
    expect_fault("bytes of cached spans are wrong");
}

static void a_listed_span_that_is_not_cached(void **state)
{
    (void)state;
    heap.spans.cached = other;
    expect_fault("span is cached and does not know it");
}

static void cached_spans_linked_wrongly(void **state)
{
    (void)state;
    cached->indexed[0].prev = other;
    expect_fault("cached spans are not linked back");
    cached->indexed[0].prev = NULL;
    cached->indexed[0].next = cached;
    expect_fault("cached spans are not linked back");
    cached->indexed[0].next = (struct span *)((char *)other + SPAN_MIN / 2);
    expect_fault("cached span is not the heap's");
}

static void more_cached_spans_than_should_be(void **state)
{
    (void)state;
    /* As if nobody had asked span_cache_is_full. */
    heap.spans.cache_limit = SPAN_CACHE_LAST;
    for (int i = 0; i < BUILD_SPANS_CACHED; i++) {
        struct span *extra = span_map(&heap.spans, SPAN_MIN);
        extra->heap = &heap;
        span_fill(extra);
        span_cache_put(&heap.spans, extra);
    }
    expect_fault("more empty spans are cached than should be");
}

static void a_span_of_another_heap(void **state)
{
    (void)state;
    static struct heap another;
    span->heap = &another;
    expect_fault("span is another heap's");
}

static void an_owner_that_is_another_span(void **state)
{
    (void)state;
    block_set_owner(row[1], other, BLOCK_MAGIC_USED);
    expect_fault("owner is another span");
}

static void a_used_block_without_its_magic(void **state)
{
    (void)state;
    block_set_owner(row[1], span, BLOCK_MAGIC_FREE);
    expect_fault("used block without its magic");
}

static void a_free_block_without_its_magic(void **state)
{
    (void)state;
    block_set_owner(row[2], span, BLOCK_MAGIC_USED);
    expect_fault("free block without its magic");
}

#if SPAN_FAST
/* Frees two of the blocks as a thread cache would, so that their merging is deferred. */
static void defer_two(void)
{
    void *payloads[] = {block_payload(row[5]), block_payload(row[7])};
    for (int i = 0; i < 2; i++)
        block_mark(block_from_payload(payloads[i]), BLOCK_MAGIC_CACHED);
    assert_int_equal(deferred_free_run(&heap, payloads, 2), 0);
    assert_int_equal(heap_check(&heap, NULL), 0);
}

static void deferred_blocks_wrongly_counted(void **state)
{
    (void)state;
    defer_two();
    span->deferred_count++;
    expect_fault("count of deferred blocks is wrong");
}

static void a_deferred_block_without_its_mark(void **state)
{
    (void)state;
    defer_two();
    block_set_owner(row[5], span, BLOCK_MAGIC_USED);
    expect_fault("deferred block without its mark");
}

static void all_blocks_of_a_span_deferred(void **state)
{
    (void)state;
    defer_two();
    /* As if nobody had seen that it is empty: the others are put into the list by hand. */
    for (struct block *block = span_first_block(span); block != span_end(span);
         block = block_after(block)) {
        if (block_is_free(block) || block_magic(block) == BLOCK_MAGIC_DEFERRED)
            continue;
        block_mark(block, BLOCK_MAGIC_DEFERRED);
        block->next = span->deferred;
        span->deferred = block;
        span->deferred_count++;
    }
    expect_fault("all blocks of a span are deferred");
}

static void deferred_blocks_linked_wrongly(void **state)
{
    (void)state;
    defer_two();
    struct block *next = span->deferred->next;
    next->next = span->deferred;
    expect_fault("count of deferred blocks is wrong");
    next->next = (struct block *)(uintptr_t)0xdfdfdfdfdfdfdfdf;
    expect_fault("span has a block that is not in it");
    next->next = row[1];
    expect_fault("deferred block without its mark");
    next->next = NULL;
    assert_int_equal(heap_check(&heap, NULL), 0);
    block_mark(row[1], BLOCK_MAGIC_DEFERRED);
    expect_fault("count of deferred blocks is wrong"); /* not listed */
}

static void deferred_spans_linked_wrongly(void **state)
{
    (void)state;
    defer_two();
    span->deferred_prev = other;
    expect_fault("deferred spans are not linked back");
    span->deferred_prev = NULL;
    span->deferred_next = span;
    expect_fault("deferred spans are not linked back");
    span->deferred_next = (struct span *)((char *)other + SPAN_MIN / 2);
    expect_fault("deferred span is not the heap's");
    span->deferred_next = other;
    expect_fault("span without deferred blocks is listed");
}

static void deferred_blocks_of_a_span_that_is_not_listed(void **state)
{
    (void)state;
    defer_two();
    heap.deferred = NULL;
    expect_fault("span with deferred blocks is not listed");
}
#endif

static void a_dedicated_span_with_more_than_its_block(void **state)
{
    (void)state;
    span->kind = SPAN_DEDICATED;
    expect_fault("dedicated span has not one used block");
}

static void a_span_indexed_by_a_wrong_bin(void **state)
{
    (void)state;
    span->indexed_map >>= 1;
    expect_fault("span is indexed by a wrong bin");
}

static void a_span_that_says_it_is_not_indexed(void **state)
{
    (void)state;
    span->indexed_map = 0;
    expect_fault("span is indexed by a wrong bin");
}

static void a_span_that_is_not_where_it_is_indexed(void **state)
{
    (void)state;
    heap.index[indexed_bin(other)] = NULL;
    heap.indexed_map &= ~(UINT64_C(1) << indexed_bin(other));
    expect_fault("span is not where it is indexed");
}

static void an_index_with_a_span_of_another(void **state)
{
    (void)state;
    unsigned file = span_index_of(indexed_bin(other));
    span->indexed[file].next = other->indexed[file].next;
    other->indexed[file].next = span;
    expect_fault("span is not where it is indexed");
}

static void index_linked_wrongly(void **state)
{
    (void)state;
    struct span_links *links = &span->indexed[span_index_of(indexed_bin(span))];
    links->prev = other;
    expect_fault("indexed spans are not linked back");
    links->prev = NULL;
    links->next = span;
    expect_fault("indexed spans are not linked back");
    links->next = (struct span *)((char *)other + SPAN_MIN / 2);
    expect_fault("indexed span is not the heap's");
}

static void a_wrong_count_of_taken_blocks(void **state)
{
    (void)state;
    heap.taken++;
    expect_fault("count of taken blocks is wrong");
}

static void a_map_of_the_index_that_lies(void **state)
{
    (void)state;
    heap.indexed_map ^= UINT64_C(1) << (BINS - 1);
    expect_fault("bitmap of indexed spans lies");
}

static void every_fault_is_counted(void **state)
{
    (void)state;
    heap.spans.count++;
    unsigned faults = heap_check(&heap, NULL);
    heap.spans.mapped++;
    assert_int_equal(heap_check(&heap, NULL), faults + 1);
    expect_fault("count of spans is wrong"); /* the first in words */
}

#define CHECK_TEST(name) cmocka_unit_test_setup(name, make_heap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_sound_heap_has_no_fault),
        CHECK_TEST(spans_linked_wrongly_back),
        CHECK_TEST(a_cycle_of_spans),
        CHECK_TEST(a_span_that_begins_no_page),
        CHECK_TEST(sizes_that_no_span_has),
        CHECK_TEST(spans_that_overlap),
        CHECK_TEST(a_span_too_few),
        CHECK_TEST(bytes_mapped_wrongly_counted),
        CHECK_TEST(blocks_that_leave_the_span),
        CHECK_TEST(blocks_that_do_not_reach_the_end),
        CHECK_TEST(a_block_too_small_to_be_one),
        CHECK_TEST(a_footer_that_is_not_the_tag),
        CHECK_TEST(a_flag_that_says_free),
        CHECK_TEST(a_flag_that_says_used),
        CHECK_TEST(the_first_block_has_nothing_before_it),
        CHECK_TEST(free_neighbours),
        CHECK_TEST(a_free_block_in_no_bin),
        CHECK_TEST(a_free_block_in_a_wrong_bin),
        CHECK_TEST(a_free_block_in_two_bins),
        CHECK_TEST(a_used_block_in_a_bin),
        CHECK_TEST(a_block_in_a_bin_that_is_none),
        CHECK_TEST(links_that_lead_out_of_the_span),
        CHECK_TEST(a_cycle_in_a_bin),
        CHECK_TEST(a_bin_linked_wrongly_back),
        CHECK_TEST(a_bitmap_with_a_bit_too_many),
        CHECK_TEST(a_bitmap_with_a_bit_too_few),
        CHECK_TEST(a_bitmap_with_a_bit_for_no_bin),
        CHECK_TEST(blocks_wrongly_counted),
        CHECK_TEST(an_empty_span_that_is_not_cached),
        CHECK_TEST(a_cached_span_with_blocks),
        CHECK_TEST(cached_spans_that_are_not_listed),
        CHECK_TEST(cached_spans_wrongly_counted),
        CHECK_TEST(a_listed_span_that_is_not_cached),
        CHECK_TEST(cached_spans_linked_wrongly),
        CHECK_TEST(more_cached_spans_than_should_be),
        CHECK_TEST(a_span_of_another_heap),
        CHECK_TEST(an_owner_that_is_another_span),
        CHECK_TEST(a_used_block_without_its_magic),
        CHECK_TEST(a_free_block_without_its_magic),
#if SPAN_FAST
        CHECK_TEST(deferred_blocks_wrongly_counted),
        CHECK_TEST(a_deferred_block_without_its_mark),
        CHECK_TEST(all_blocks_of_a_span_deferred),
        CHECK_TEST(deferred_blocks_linked_wrongly),
        CHECK_TEST(deferred_spans_linked_wrongly),
        CHECK_TEST(deferred_blocks_of_a_span_that_is_not_listed),
#endif
        CHECK_TEST(a_dedicated_span_with_more_than_its_block),
        CHECK_TEST(a_wrong_count_of_taken_blocks),
        CHECK_TEST(a_span_indexed_by_a_wrong_bin),
        CHECK_TEST(a_span_that_says_it_is_not_indexed),
        CHECK_TEST(a_span_that_is_not_where_it_is_indexed),
        CHECK_TEST(an_index_with_a_span_of_another),
        CHECK_TEST(index_linked_wrongly),
        CHECK_TEST(a_map_of_the_index_that_lies),
        CHECK_TEST(every_fault_is_counted),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
