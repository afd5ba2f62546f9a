/* Bins on static memory: which bin, put and take, and which block is found. No spans, no system. */
#include "allocator/bins.h"
#include "cmocka_all.h"

#include <string.h>

enum { ARENA = 64 * 1024, ROW = 8 };

static _Alignas(ALIGNMENT) char arena[ARENA];
static size_t arena_used;
static struct bins bins;
static struct span *const some_span = (struct span *)arena;

static int clear(void **state)
{
    (void)state;
    memset(arena, 0xcc, sizeof arena);
    memset(&bins, 0, sizeof bins);
    arena_used = 0;
    return 0;
}

/* A free block behind those made before, in no bin. */
static struct block *make_free(size_t gross)
{
    /* Blocks begin so that payloads are aligned. */
    struct block *block = block_from_payload(arena + arena_used + ALIGNMENT);
    arena_used += gross;
    assert_true(arena_used + ALIGNMENT <= ARENA);
    block_make_free(block, some_span, gross, true);
    return block;
}

static struct block *put_free(size_t gross)
{
    struct block *block = make_free(gross);
    bins_put(&bins, bin_of(block_size(block)), block);
    return block;
}

/* Blocks in a bin, the links of which are verified on the way. */
static size_t bin_count(unsigned bin)
{
    size_t count = 0;
    assert_int_equal(bins.map >> bin & 1, bins.first[bin] != NULL);
    if (bins.first[bin])
        assert_null(bins.first[bin]->prev);
    for (struct block *block = bins.first[bin]; block; block = block->next, count++)
        assert_true(!block->next || block->next->prev == block);
    return count;
}

static void bins_are_ordered_by_size(void **state)
{
    (void)state;
    unsigned last = 0;
    assert_int_equal(bin_of(BLOCK_MIN), 0);
    for (size_t gross = BLOCK_MIN; gross < 2 * BIN_LARGE; gross += ALIGNMENT) {
        unsigned bin = bin_of(gross);
        assert_true(bin == last || bin == last + 1);
        last = bin;
    }
    assert_int_equal(last, BIN_LAST);
    assert_int_equal(bin_of(BIN_LARGE - ALIGNMENT), BIN_LAST - 1);
    assert_int_equal(bin_of(BIN_LARGE), BIN_LAST);
    assert_int_equal(bin_of(BLOCK_REQUEST_MAX & ~(size_t)(ALIGNMENT - 1)), BIN_LAST);
}

static void small_sizes_have_a_bin_each(void **state)
{
    (void)state;
    for (size_t gross = BLOCK_MIN; gross < BIN_EXACT_END; gross += ALIGNMENT)
        assert_int_equal(bin_of(gross + ALIGNMENT), bin_of(gross) + 1);
}

static void bin_for_promises_a_fit(void **state)
{
    (void)state;
    size_t least[BINS] = {0};
    for (size_t gross = BIN_LARGE; gross >= BLOCK_MIN; gross -= ALIGNMENT)
        least[bin_of(gross)] = gross;
    for (size_t gross = BLOCK_MIN; gross <= BIN_LARGE; gross += ALIGNMENT) {
        unsigned bin = bin_for(gross);
        assert_true(least[bin] >= gross);
        assert_true(bin == 0 || least[bin - 1] < gross); /* and none lower does */
    }
    assert_int_equal(bin_for(2 * BIN_LARGE), BIN_LAST);
}

static void last_put_comes_first(void **state)
{
    (void)state;
    struct block *first = put_free(128);
    struct block *second = put_free(128);
    assert_ptr_equal(bins_find(&bins, 128), second);
    bins_take(&bins, bin_of(block_size(second)), second);
    assert_ptr_equal(bins_find(&bins, 128), first);
}

static void blocks_leave_from_any_place(void **state)
{
    (void)state;
    struct block *row[ROW];
    for (size_t i = 0; i < ROW; i++)
        row[i] = put_free(128);
    const size_t order[ROW] = {3, 7, 0, 4, 1, 6, 2, 5}; /* middle, head, tail, then the rest */
    for (size_t i = 0; i < ROW; i++) {
        assert_int_equal(bins_highest(&bins), (int)bin_of(128));
        assert_int_equal(bin_count(bin_of(128)), ROW - i);
        bins_take(&bins, bin_of(block_size(row[order[i]])), row[order[i]]);
    }
    assert_int_equal(bin_count(bin_of(128)), 0);
    assert_int_equal(bins.map, 0);
}

static void highest_is_told(void **state)
{
    (void)state;
    assert_int_equal(bins_highest(&bins), -1);
    struct block *large = put_free(8192);
    put_free(BLOCK_MIN);
    assert_int_equal(bins_highest(&bins), (int)bin_of(8192));
    bins_take(&bins, bin_of(block_size(large)), large);
    assert_int_equal(bins_highest(&bins), 0);
}

static void nothing_is_found_where_nothing_is(void **state)
{
    (void)state;
    for (size_t gross = BLOCK_MIN; gross <= 2 * BIN_LARGE; gross += ALIGNMENT)
        assert_null(bins_find(&bins, gross));
}

static void find_prefers_the_smallest_bin(void **state)
{
    (void)state;
    struct block *small = put_free(256);
    struct block *large = put_free(2048);
    assert_ptr_equal(bins_find(&bins, 128), small);
    assert_ptr_equal(bins_find(&bins, 256), small);
    assert_ptr_equal(bins_find(&bins, 256 + ALIGNMENT), large);
    assert_null(bins_find(&bins, 2048 + ALIGNMENT));
    assert_int_equal(bin_count(bin_of(256)), 1); /* found, not taken */
}

/* Two sizes of one bin, the first the smallest of it. */
enum { MIXED_LOW = 640, MIXED = 704, MIXED_HIGH = 752 };

static void find_looks_into_its_own_bin_last(void **state)
{
    (void)state;
    assert_int_equal(bin_of(MIXED_LOW), bin_of(MIXED_HIGH));
    struct block *high = put_free(MIXED_HIGH);
    put_free(MIXED_LOW);
    assert_ptr_equal(bins_find(&bins, MIXED), high);
    struct block *larger = put_free(1024);
    assert_ptr_equal(bins_find(&bins, MIXED), larger);
}

static void walk_in_a_mixed_bin_is_bounded(void **state)
{
    (void)state;
    struct block *high = put_free(MIXED_HIGH);
    for (int i = 0; i < BIN_WALK_MAX - 1; i++)
        put_free(MIXED_LOW);
    assert_ptr_equal(bins_find(&bins, MIXED), high);
    put_free(MIXED_LOW);
    assert_null(bins_find(&bins, MIXED));
    assert_non_null(bins_find(&bins, MIXED_LOW));
}

static void find_among_the_largest_compares_sizes(void **state)
{
    (void)state;
    static _Alignas(ALIGNMENT) char large[4 * BIN_LARGE];
    struct block *block = block_from_payload(large + ALIGNMENT);
    block_make_free(block, (struct span *)large, 2 * BIN_LARGE, true);
    bins_put(&bins, bin_of(block_size(block)), block);
    assert_ptr_equal(bins_find(&bins, BIN_LARGE), block);
    assert_ptr_equal(bins_find(&bins, 2 * BIN_LARGE), block);
    assert_null(bins_find(&bins, 2 * BIN_LARGE + ALIGNMENT));
}

static void found_blocks_always_fit(void **state)
{
    (void)state;
    for (size_t gross = BLOCK_MIN; arena_used + gross + ALIGNMENT <= ARENA; gross += 80)
        put_free(gross);
    for (size_t gross = BLOCK_MIN; gross < 4096; gross += ALIGNMENT) {
        struct block *found = bins_find(&bins, gross);
        assert_true(!found || block_size(found) >= gross);
    }
}

static void resize_moves_between_bins(void **state)
{
    (void)state;
    struct block *block = put_free(2048);
    bins_resize(&bins, bin_of(2048), bin_of(128), block, 128);
    assert_int_equal(bin_count(bin_of(2048)), 0);
    assert_int_equal(bin_count(bin_of(128)), 1);
    assert_int_equal(block_size(block), 128);
    assert_int_equal(*block_footer(block), 128);
    assert_ptr_equal((char *)block_footer(block) + BLOCK_FOOTER, block_after(block));
}

static void resize_within_a_bin_keeps_the_place(void **state)
{
    (void)state;
    struct block *block = put_free(MIXED_HIGH);
    struct block *head = put_free(MIXED_HIGH);
    bins_resize(&bins, bin_of(MIXED_HIGH), bin_of(MIXED_LOW), block, MIXED_LOW);
    assert_int_equal(block_size(block), MIXED_LOW);
    assert_int_equal(*block_footer(block), MIXED_LOW);
    assert_int_equal(bin_count(bin_of(MIXED_LOW)), 2);
    assert_ptr_equal(bins.first[bin_of(MIXED_LOW)], head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bins_are_ordered_by_size, clear),
        cmocka_unit_test_setup(small_sizes_have_a_bin_each, clear),
        cmocka_unit_test_setup(bin_for_promises_a_fit, clear),
        cmocka_unit_test_setup(last_put_comes_first, clear),
        cmocka_unit_test_setup(blocks_leave_from_any_place, clear),
        cmocka_unit_test_setup(highest_is_told, clear),
        cmocka_unit_test_setup(nothing_is_found_where_nothing_is, clear),
        cmocka_unit_test_setup(find_prefers_the_smallest_bin, clear),
        cmocka_unit_test_setup(find_looks_into_its_own_bin_last, clear),
        cmocka_unit_test_setup(walk_in_a_mixed_bin_is_bounded, clear),
        cmocka_unit_test_setup(find_among_the_largest_compares_sizes, clear),
        cmocka_unit_test_setup(found_blocks_always_fit, clear),
        cmocka_unit_test_setup(resize_moves_between_bins, clear),
        cmocka_unit_test_setup(resize_within_a_bin_keeps_the_place, clear),
    };
    return cmocka_run_group_tests_name("bins", tests, NULL, NULL);
}
