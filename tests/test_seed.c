/*
 * The design that the allocator follows, sentence by sentence: each test is named after the
 * sentence in its comment and fails when that sentence is broken (tests/test_seed_mutants.py
 * breaks each once to see).
 */
#include "allocator/check.h"
#include "allocator/libspan.h"
#include "allocator/os.h"
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 100, SMALL_GROSS = 128, PAGE_SPREAD = 40 * 1024 };

static void *allocate(size_t request)
{
    void *p = heap_allocate(&heap, request);
    assert_non_null(p);
    return p;
}

static void release(void *p)
{
    heap_free(&heap, p);
}

/* "a toy general purpose allocator, built on top of mmap(2)" */
static void memory_comes_from_mmap(void **state)
{
    (void)state;
    void *brk_before = sbrk(0);
    for (size_t request = 1; request <= 1 << 20; request *= 2)
        assert_true(fake_os_holds(allocate(request), request));
    assert_ptr_equal(sbrk(0), brk_before);
}

/* "supports malloc(), free(), calloc() and realloc()" */
static void supports_the_four_functions(void **state)
{
    (void)state;
    char *p = span_malloc(SMALL);
    memset(p, 'd', SMALL);
    span_free(p);
    char *zeroed = span_calloc(SMALL / 10, 10);
    assert_ptr_equal(zeroed, p); /* so it was not zero before */
    p = span_malloc(SMALL);
    for (int i = 0; i < SMALL; i++)
        assert_int_equal(zeroed[i], 0);
    memset(p, 'p', SMALL);
    p = span_realloc(p, 100 * SMALL);
    assert_int_equal(p[SMALL - 1], 'p');
    span_free(p);
    span_free(zeroed);
    assert_int_equal(span_check(), 0);
}

/* "with guaranteed alignment to 16 bytes" */
static void payloads_are_16_aligned(void **state)
{
    (void)state;
    for (size_t request = 0; request < 600; request++)
        assert_int_equal((uintptr_t)allocate(request) % 16, 0);
    assert_int_equal((uintptr_t)allocate(3 << 20) % 16, 0);
}

/* "spans whose size are multiples of the page size" */
static void spans_are_whole_pages(void **state)
{
    (void)state;
    for (size_t request = 1; request < 1 << 21; request = request * 3 + 1) {
        struct span *span = span_of(allocate(request));
        assert_int_equal((uintptr_t)span % os_page_size(), 0);
        assert_int_equal(span->size % os_page_size(), 0);
        assert_true(fake_os_holds(span, span->size));
    }
}

/* "Spans are organized in a doubly linked list." */
static void spans_are_doubly_linked(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    for (int i = 0; i < COUNT; i++)
        allocate(PAGE_SPREAD);
    struct span *span = heap.spans.first;
    assert_null(span->prev);
    int count = 1;
    for (; span->next; span = span->next, count++)
        assert_ptr_equal(span->next->prev, span);
    assert_int_equal(count, COUNT);
    while (span->prev)
        span = span->prev;
    assert_ptr_equal(span, heap.spans.first);
}

/* "Requested allocations are served as blocks from those spans." */
static void requests_are_blocks_of_spans(void **state)
{
    (void)state;
    void *first = allocate(SMALL);
    void *second = allocate(SMALL);
    assert_ptr_equal(span_of(first), heap.spans.first);
    assert_ptr_equal(span_of(second), heap.spans.first);
    assert_true(span_holds(heap.spans.first, first));
    assert_int_equal(fake_os.maps, 1);
}

/* "Each span has its own internal free list of blocks." */
static void each_span_has_its_free_list(void **state)
{
    (void)state;
    void *in_one = allocate(PAGE_SPREAD);
    void *in_other = allocate(PAGE_SPREAD);
    struct span *one = span_of(in_one);
    struct span *other = span_of(in_other);
    assert_ptr_not_equal(one, other);
    release(in_other);
    struct block *in_list = bins_find(&other->bins, PAGE_SPREAD);
    assert_non_null(in_list);
    assert_ptr_equal(block_owner(in_list), other);
    assert_null(bins_find(&one->bins, PAGE_SPREAD));
}

/* "Blocks are served from the end of a free block." */
static void served_from_the_end(void **state)
{
    (void)state;
    char *last = allocate(SMALL);
    char *before = allocate(SMALL);
    assert_ptr_equal(last - BLOCK_HEADER + SMALL_GROSS, (char *)span_end(span_of(last)));
    assert_ptr_equal(before + SMALL_GROSS, last);
}

/* Four blocks in a row, lowest first, a used one on both sides. */
static void make_row(char *row[6])
{
    for (int i = 5; i >= 0; i--)
        row[i] = allocate(SMALL);
    for (int i = 1; i < 6; i++)
        assert_ptr_equal(row[i], row[i - 1] + SMALL_GROSS);
}

/* "When freeing, blocks are coalesced in both directions": with the next one */
static void coalesced_with_the_next(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    release(row[3]);
    release(row[2]);
    struct block *merged = block_from_payload(row[2]);
    assert_true(block_is_free(merged));
    assert_int_equal(block_size(merged), 2 * SMALL_GROSS);
}

/* "... in both directions": with the previous one, and with both */
static void coalesced_with_the_previous(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    release(row[1]);
    release(row[2]);
    struct block *merged = block_from_payload(row[1]);
    assert_int_equal(block_size(merged), 2 * SMALL_GROSS);
    release(row[4]);
    release(row[3]);
    assert_int_equal(block_size(merged), 4 * SMALL_GROSS);
}

/* "and their payload is poisoned" */
static void freed_payload_is_poisoned(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    for (int i = 0; i < 6; i++)
        memset(row[i], 'x', SMALL);
    release(row[2]);
    /* The list's two pointers are in front, the footer behind. */
    for (size_t i = 16; i < SMALL_GROSS - BLOCK_HEADER - BLOCK_FOOTER; i++)
        assert_int_equal((unsigned char)row[2][i], BLOCK_POISON);
    assert_int_equal(row[1][0], 'x');
    assert_int_equal(row[3][0], 'x');
    release(
        row[3]); /* merged into the block before: its own payload, to the last byte but footer */
    for (size_t i = 0; i < SMALL_GROSS - BLOCK_HEADER - BLOCK_FOOTER; i++)
        assert_int_equal((unsigned char)row[3][i], BLOCK_POISON);
}

/* "Free blocks carry a size_t footer indicating their size" */
static void free_blocks_carry_a_footer(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    release(row[2]);
    size_t footer;
    memcpy(&footer, row[3] - BLOCK_HEADER - sizeof footer, sizeof footer);
    assert_int_equal(footer, SMALL_GROSS);
    release(row[3]);
    memcpy(&footer, row[4] - BLOCK_HEADER - sizeof footer, sizeof footer);
    assert_int_equal(footer, 2 * SMALL_GROSS);
}

/* "for a quick jump to the physically adjacent previous block" */
static void footer_leads_to_the_previous(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    release(row[2]);
    assert_ptr_equal(block_before(block_from_payload(row[3])), block_from_payload(row[2]));
}

/* "Both span and block headers are padded to ALIGNMENT (16 bytes)" */
static void headers_are_padded(void **state)
{
    (void)state;
    assert_int_equal(ALIGNMENT, 16);
    assert_int_equal(SPAN_HEADER % ALIGNMENT, 0);
    assert_true(SPAN_HEADER >= (int)sizeof(struct span));
    assert_int_equal(BLOCK_HEADER, ALIGNMENT);
    struct block *first = span_first_block(span_of(allocate(SMALL)));
    assert_int_equal((uintptr_t)first % ALIGNMENT, 0);
}

/* "a real allocation is done that is padded to that alignment", so headers are aligned */
static void requests_are_padded(void **state)
{
    (void)state;
    for (size_t request = 0; request < 300; request++) {
        struct block *block = block_from_payload(allocate(request));
        assert_int_equal(block_size(block) % ALIGNMENT, 0);
        assert_int_equal((uintptr_t)block % ALIGNMENT, 0);
        assert_true(block_payload_size(block) >= request);
        assert_true(block_payload_size(block) < request + ALIGNMENT || request <= 48);
    }
}

/* "The minimum request for pages (via mmap(2)) is for 64kb." */
static void least_span_is_64_kib(void **state)
{
    (void)state;
    struct span *span = span_of(allocate(1));
    assert_int_equal(fake_os.last_bytes, 64 * 1024);
    assert_int_equal(span->size, 64 * 1024);
}

/* "The minimum block size is 64 bytes." */
static void least_block_is_64_bytes(void **state)
{
    (void)state;
    assert_int_equal(block_size(block_from_payload(allocate(0))), 64);
    assert_int_equal(block_size(block_from_payload(allocate(1))), 64);
    assert_int_equal(block_size(block_from_payload(allocate(48))), 64);
    assert_int_equal(block_size(block_from_payload(allocate(49))), 80);
}

/* "If a block split would leave a smaller piece than that, the fragmentation is taken" */
static void small_rests_are_taken(void **state)
{
    (void)state;
    for (size_t rest = 0; rest <= BLOCK_MIN; rest += ALIGNMENT) {
        char *row[3];
        for (int i = 2; i >= 0; i--)
            row[i] = allocate(SMALL + BLOCK_MIN);
        size_t whole = block_size(block_from_payload(row[1]));
        release(row[1]);
        char *p = allocate(whole - rest - BLOCK_HEADER);
        size_t taken = block_size(block_from_payload(p));
        assert_int_equal(taken, rest < BLOCK_MIN ? whole : whole - rest);
        assert_ptr_equal(p, row[1] + (whole - taken));
    }
}

/* "A cache of 1 span is kept even if it has no blocks allocated." */
static void one_empty_span_is_kept(void **state)
{
    (void)state;
    release(allocate(SMALL));
    assert_int_equal(fake_os.unmaps, 0);
    assert_int_equal(heap.spans.count, 1);
    release(allocate(SMALL));
    assert_int_equal(fake_os.maps, 1);
}

/* "Otherwise, when freeing a block, if its span block count drops to 0, the span is returned" */
static void other_empty_spans_are_returned(void **state)
{
    (void)state;
    enum { COUNT = 6 };
    void *p[COUNT];
    for (int i = 0; i < COUNT; i++)
        p[i] = allocate(PAGE_SPREAD);
    assert_int_equal(heap.spans.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        release(p[i]);
        assert_int_equal(fake_os.unmaps, i);
    }
    assert_int_equal(heap.spans.count, 1);
    assert_int_equal(fake_os.mapped, heap.spans.mapped);
}

/* "Span headers carry a raw size, prev/next pointers, [...] and a blkcount" */
static void span_header_fields(void **state)
{
    (void)state;
    struct span *span = span_of(allocate(SMALL));
    const size_t *size = &span->size;
    struct span *const *prev = &span->prev;
    struct span *const *next = &span->next;
    const size_t *blkcount = &span->blkcount;
    struct block *const *free_list = span->bins.first;
    assert_int_equal(*size, fake_os.last_bytes);
    assert_null(*prev);
    assert_null(*next);
    assert_int_equal(*blkcount, 1);
    assert_ptr_equal(free_list[bin_of(block_size(span_first_block(span)))], span_first_block(span));
}

/* "[the] free list, which may be NULL if the entire span is in use" */
static void full_span_has_an_empty_free_list(void **state)
{
    (void)state;
    struct span *span = span_of(allocate(SPAN_MIN - SPAN_HEADER - BLOCK_HEADER));
    assert_int_equal(span->size, SPAN_MIN);
    assert_int_equal(span->bins.map, 0);
    for (int bin = 0; bin < BINS; bin++)
        assert_null(span->bins.first[bin]);
}

/* "a blkcount that keeps track of the number of allocated blocks in the span" */
static void blkcount_counts_used_blocks(void **state)
{
    (void)state;
    void *p[10];
    for (size_t i = 0; i < 10; i++) {
        p[i] = allocate(SMALL);
        assert_int_equal(span_of(p[0])->blkcount, i + 1);
    }
    for (size_t i = 9; i > 0; i--) {
        release(p[i]);
        assert_int_equal(span_of(p[0])->blkcount, i);
    }
}

/* "the least significant bits are used to flag free/used" */
static void tag_says_free_or_used(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    struct block *block = block_from_payload(row[2]);
    assert_int_equal(block->tag & BLOCK_USED, BLOCK_USED);
    release(row[2]);
    assert_int_equal(block->tag & BLOCK_USED, 0);
    assert_int_equal(block->tag & ~(size_t)BLOCK_FLAGS, SMALL_GROSS);
}

/* "and (physically adjacent) previous free/used status" */
static void tag_says_what_the_previous_is(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    struct block *block = block_from_payload(row[3]);
    assert_int_equal(block->tag & BLOCK_PREV_USED, BLOCK_PREV_USED);
    release(row[2]);
    assert_int_equal(block->tag & BLOCK_PREV_USED, 0);
    assert_ptr_equal(allocate(SMALL), row[2]);
    assert_int_equal(block->tag & BLOCK_PREV_USED, BLOCK_PREV_USED);
}

/* "The next/prev pointers are only necessary for free blocks" and are payload otherwise */
static void list_pointers_are_payload_while_used(void **state)
{
    (void)state;
    char *p = allocate(48);
    assert_ptr_equal(p, (char *)block_from_payload(p) + 16);
    assert_int_equal(block_size(block_from_payload(p)), 64);
    memset(p, 0xff, 48); /* all of a 64-byte block but its 16-byte header */
    assert_int_equal(heap_check(&heap, NULL), 0);
    release(p);
}

/* "Block headers have a magic number to help with debugging" */
static void blocks_have_a_magic(void **state)
{
    (void)state;
    char *row[6];
    make_row(row);
    assert_int_equal(block_magic(block_from_payload(row[2])), BLOCK_MAGIC_USED);
    release(row[2]);
    assert_int_equal(block_magic(block_from_payload(row[2])), BLOCK_MAGIC_FREE);
}

/* "and a pointer to their owning span" */
static void blocks_know_their_span(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char *p = allocate(PAGE_SPREAD);
        struct span *span = block_owner(block_from_payload(p));
        assert_true(span_holds(span, p));
        assert_ptr_equal(span, heap.spans.first);
        assert_ptr_equal(block_owner(span_first_block(span)), span);
    }
}

#define SEED_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_heap, sound_heap)

/* `test_seed [NAME]`: all, or the one test. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        SEED_TEST(memory_comes_from_mmap),
        SEED_TEST(supports_the_four_functions),
        SEED_TEST(payloads_are_16_aligned),
        SEED_TEST(spans_are_whole_pages),
        SEED_TEST(spans_are_doubly_linked),
        SEED_TEST(requests_are_blocks_of_spans),
        SEED_TEST(each_span_has_its_free_list),
        SEED_TEST(served_from_the_end),
        SEED_TEST(coalesced_with_the_next),
        SEED_TEST(coalesced_with_the_previous),
        SEED_TEST(freed_payload_is_poisoned),
        SEED_TEST(free_blocks_carry_a_footer),
        SEED_TEST(footer_leads_to_the_previous),
        SEED_TEST(headers_are_padded),
        SEED_TEST(requests_are_padded),
        SEED_TEST(least_span_is_64_kib),
        SEED_TEST(least_block_is_64_bytes),
        SEED_TEST(small_rests_are_taken),
        SEED_TEST(one_empty_span_is_kept),
        SEED_TEST(other_empty_spans_are_returned),
        SEED_TEST(span_header_fields),
        SEED_TEST(full_span_has_an_empty_free_list),
        SEED_TEST(blkcount_counts_used_blocks),
        SEED_TEST(tag_says_free_or_used),
        SEED_TEST(tag_says_what_the_previous_is),
        SEED_TEST(list_pointers_are_payload_while_used),
        SEED_TEST(blocks_have_a_magic),
        SEED_TEST(blocks_know_their_span),
    };
    return cmocka_run_group_tests_name("seed", tests, NULL, NULL);
}
