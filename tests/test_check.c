/*
 * heap_check finds what it says it finds: a heap with a bit of everything is made, one thing in it
 * is falsified, and the recount must tell. A sound heap gives no fault.
 */
#include "allocator/check.h"
#include "allocator/os.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"

#include <string.h>
#include <unistd.h>

enum { ROW = 9, SMALL = 100, HALF_SPAN = 40 * 1024, LARGE = SPAN_SHARED_BYTES };

/*
 * What the heap is made of: nine small blocks one behind the other, of which 2, 4 and 6 are free; a
 * second span with one block, and free room; a dedicated span; and an empty span that is kept.
 */
static struct block *row[ROW];
static struct span *span;
static struct span *other;
static struct span *dedicated;
static struct span *kept;

static struct block *allocate(size_t request)
{
    void *p = heap_allocate(&heap, request);
    assert_non_null(p);
    return block_from_payload(p);
}

static void release(struct block *block)
{
    heap_free(&heap, block_payload(block), "free");
}

/* The lowest bin that a span is filed under. */
static unsigned filed_bin(const struct span *filed)
{
    return (unsigned)__builtin_ctzl(filed->filed_map);
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
    release(allocate(SPAN_KEEP_FIRST / 2));
    span = block_owner(row[0]);
    assert_ptr_not_equal(span, other);
    assert_int_not_equal(filed_bin(span), filed_bin(other));
    kept = heap.spans.kept;
    assert_non_null(kept);
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
    inner->filed_map = 0;
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
    bins_put(&span->bins, row[3]);
    block_set_prev_used(row[4], false);
    span->blkcount--;
    expect_fault("two free blocks touch");
}

static void a_free_block_in_no_bin(void **state)
{
    (void)state;
    bins_take(&span->bins, row[4]);
    expect_fault("free block is not in its bin");
}

static void a_free_block_in_a_wrong_bin(void **state)
{
    (void)state;
    bins_take(&span->bins, row[4]);
    size_t gross = block_size(row[4]);
    block_set_size(row[4], 2 * gross);
    bins_put(&span->bins, row[4]);
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
    bins_put(&span->bins, row[1]);
    expect_fault("used block is in a bin");
}

/* Looks like a free block and is linked like one, in place of one of the same size. */
static void a_block_in_a_bin_that_is_none(void **state)
{
    (void)state;
    struct block *whole = span_first_block(span);
    struct block *inner = block_at(whole, 1024);
    bins_take(&span->bins, row[4]);
    block_make_free(inner, span, block_size(row[4]), true);
    bins_put(&span->bins, inner);
    expect_fault("free block is not in its bin");
    bins_put(&span->bins, row[4]);
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
    heap.filed_map |= UINT64_C(1) << 63;
    expect_fault("bitmap of filed spans lies");
}

static void blocks_wrongly_counted(void **state)
{
    (void)state;
    span->blkcount++;
    expect_fault("blkcount is not the number of used blocks");
}

static void an_empty_span_that_is_not_kept(void **state)
{
    (void)state;
    span_unkeep(&heap.spans, kept, SPAN_ORDINARY);
    expect_fault("empty spans and the kept ones differ");
}

static void a_kept_span_with_blocks(void **state)
{
    (void)state;
    kept->blkcount++;
    expect_fault("empty spans and the kept ones differ");
    kept->blkcount--;
    other->kind = SPAN_KEPT;
    expect_fault("empty spans and the kept ones differ");
}

static void kept_spans_that_are_not_listed(void **state)
{
    (void)state;
    heap.spans.kept = NULL;
    heap.spans.kept_count = 0;
    heap.spans.kept_bytes = 0;
    expect_fault("kept span is not listed");
}

static void kept_spans_wrongly_counted(void **state)
{
    (void)state;
    heap.spans.kept_count++;
    expect_fault("count of kept spans is wrong");
    heap.spans.kept_count--;
    heap.spans.kept_bytes++;
    expect_fault("bytes of kept spans are wrong");
}

static void a_listed_span_that_is_not_kept(void **state)
{
    (void)state;
    heap.spans.kept = other;
    expect_fault("span is kept and does not know it");
}

static void kept_spans_linked_wrongly(void **state)
{
    (void)state;
    kept->filed[0].prev = other;
    expect_fault("kept spans are not linked back");
    kept->filed[0].prev = NULL;
    kept->filed[0].next = kept;
    expect_fault("kept spans are not linked back");
    kept->filed[0].next = (struct span *)((char *)other + SPAN_MIN / 2);
    expect_fault("kept span is not the heap's");
}

static void more_kept_spans_than_should_be(void **state)
{
    (void)state;
    /* As if nobody had asked spans_are_too_many. */
    heap.spans.keep_max = SPAN_KEEP_LAST;
    for (int i = 0; i < BUILD_SPANS_KEPT; i++) {
        struct span *extra = span_map(&heap.spans, SPAN_MIN);
        extra->heap = &heap;
        span_fill(extra);
        span_keep(&heap.spans, extra);
    }
    expect_fault("more empty spans are kept than should be");
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

/* Frees two of the blocks as a thread's front would, so that they are loose. */
static void loosen(void)
{
    void *payloads[] = {block_payload(row[5]), block_payload(row[7])};
    for (int i = 0; i < 2; i++)
        block_mark(block_from_payload(payloads[i]), BLOCK_MAGIC_FRONT);
    assert_int_equal(heap_free_run(&heap, payloads, 2, "free"), 0);
    assert_int_equal(heap_check(&heap, NULL), 0);
}

static void loose_blocks_wrongly_counted(void **state)
{
    (void)state;
    loosen();
    span->loose_count++;
    expect_fault("count of loose blocks is wrong");
}

static void a_loose_block_without_its_mark(void **state)
{
    (void)state;
    loosen();
    block_set_owner(row[5], span, BLOCK_MAGIC_USED);
    expect_fault("loose block without its mark");
}

static void all_blocks_of_a_span_loose(void **state)
{
    (void)state;
    loosen();
    /* As if nobody had seen that it is empty: the others are put into the list by hand. */
    for (struct block *block = span_first_block(span); block != span_end(span);
         block = block_after(block)) {
        if (block_is_free(block) || block_magic(block) == BLOCK_MAGIC_LOOSE)
            continue;
        block_mark(block, BLOCK_MAGIC_LOOSE);
        block->next = span->loose;
        span->loose = block;
        span->loose_count++;
    }
    expect_fault("all blocks of a span are loose");
}

static void loose_blocks_linked_wrongly(void **state)
{
    (void)state;
    loosen();
    struct block *next = span->loose->next;
    next->next = span->loose;
    expect_fault("count of loose blocks is wrong");
    next->next = (struct block *)(uintptr_t)0xdfdfdfdfdfdfdfdf;
    expect_fault("span has a block that is not in it");
    next->next = row[1];
    expect_fault("loose block without its mark");
    next->next = NULL;
    assert_int_equal(heap_check(&heap, NULL), 0);
    block_mark(row[1], BLOCK_MAGIC_LOOSE);
    expect_fault("count of loose blocks is wrong"); /* not listed */
}

static void loose_spans_linked_wrongly(void **state)
{
    (void)state;
    loosen();
    span->loose_prev = other;
    expect_fault("loose spans are not linked back");
    span->loose_prev = NULL;
    span->loose_next = span;
    expect_fault("loose spans are not linked back");
    span->loose_next = (struct span *)((char *)other + SPAN_MIN / 2);
    expect_fault("loose span is not the heap's");
    span->loose_next = other;
    expect_fault("span without loose blocks is listed");
}

static void loose_blocks_of_a_span_that_is_not_listed(void **state)
{
    (void)state;
    loosen();
    heap.loose = NULL;
    expect_fault("span with loose blocks is not listed");
}

static void a_dedicated_span_with_more_than_its_block(void **state)
{
    (void)state;
    span->kind = SPAN_DEDICATED;
    expect_fault("dedicated span has not one used block");
}

static void a_span_filed_under_a_wrong_bin(void **state)
{
    (void)state;
    span->filed_map >>= 1;
    expect_fault("span is filed under a wrong bin");
}

static void a_span_that_says_it_is_not_filed(void **state)
{
    (void)state;
    span->filed_map = 0;
    expect_fault("span is filed under a wrong bin");
}

static void a_span_that_is_not_where_it_is_filed(void **state)
{
    (void)state;
    heap.filed[filed_bin(other)] = NULL;
    heap.filed_map &= ~(UINT64_C(1) << filed_bin(other));
    expect_fault("span is not where it is filed");
}

static void a_file_with_a_span_of_another(void **state)
{
    (void)state;
    unsigned file = span_file_of(filed_bin(other));
    span->filed[file].next = other->filed[file].next;
    other->filed[file].next = span;
    expect_fault("span is not where it is filed");
}

static void files_linked_wrongly(void **state)
{
    (void)state;
    struct span_links *links = &span->filed[span_file_of(filed_bin(span))];
    links->prev = other;
    expect_fault("filed spans are not linked back");
    links->prev = NULL;
    links->next = span;
    expect_fault("filed spans are not linked back");
    links->next = (struct span *)((char *)other + SPAN_MIN / 2);
    expect_fault("filed span is not the heap's");
}

static void a_wrong_count_of_taken_blocks(void **state)
{
    (void)state;
    heap.taken++;
    expect_fault("count of taken blocks is wrong");
}

static void a_map_of_files_that_lies(void **state)
{
    (void)state;
    heap.filed_map ^= UINT64_C(1) << (BINS - 1);
    expect_fault("bitmap of filed spans lies");
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
        CHECK_TEST(an_empty_span_that_is_not_kept),
        CHECK_TEST(a_kept_span_with_blocks),
        CHECK_TEST(kept_spans_that_are_not_listed),
        CHECK_TEST(kept_spans_wrongly_counted),
        CHECK_TEST(a_listed_span_that_is_not_kept),
        CHECK_TEST(kept_spans_linked_wrongly),
        CHECK_TEST(more_kept_spans_than_should_be),
        CHECK_TEST(a_span_of_another_heap),
        CHECK_TEST(an_owner_that_is_another_span),
        CHECK_TEST(a_used_block_without_its_magic),
        CHECK_TEST(a_free_block_without_its_magic),
        CHECK_TEST(loose_blocks_wrongly_counted),
        CHECK_TEST(a_loose_block_without_its_mark),
        CHECK_TEST(all_blocks_of_a_span_loose),
        CHECK_TEST(loose_blocks_linked_wrongly),
        CHECK_TEST(loose_spans_linked_wrongly),
        CHECK_TEST(loose_blocks_of_a_span_that_is_not_listed),
        CHECK_TEST(a_dedicated_span_with_more_than_its_block),
        CHECK_TEST(a_wrong_count_of_taken_blocks),
        CHECK_TEST(a_span_filed_under_a_wrong_bin),
        CHECK_TEST(a_span_that_says_it_is_not_filed),
        CHECK_TEST(a_span_that_is_not_where_it_is_filed),
        CHECK_TEST(a_file_with_a_span_of_another),
        CHECK_TEST(files_linked_wrongly),
        CHECK_TEST(a_map_of_files_that_lies),
        CHECK_TEST(every_fault_is_counted),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
