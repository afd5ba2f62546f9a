/* Blocks and bins on static memory: no spans, no system. */
#include "allocator/bins.h"
#include "cmocka_all.h"

#include <string.h>

enum { ARENA = 8192, ROW = 8 };

static _Alignas(16) char arena[ARENA];
static struct bins bins;
static struct span *const some_span = (struct span *)0x7f1234567000;

static int clear(void **state)
{
    (void)state;
    memset(arena, 0xcc, sizeof arena);
    memset(&bins, 0, sizeof bins);
    return 0;
}

static struct block *block_here(size_t offset)
{
    return (struct block *)(arena + offset);
}

static struct block *make_free(size_t offset, size_t gross)
{
    struct block *block = block_here(offset);
    block_make_free(block, some_span, gross, true);
    return block;
}

static void gross_sizes(void **state)
{
    (void)state;
    assert_int_equal(block_gross(0), 64);
    assert_int_equal(block_gross(48), 64);
    assert_int_equal(block_gross(49), 80);
    assert_int_equal(block_gross(64), 80);
    assert_int_equal(block_gross(65), 96);
    assert_true(block_gross(BLOCK_REQUEST_MAX) > BLOCK_REQUEST_MAX);
}

static void tag_keeps_size_and_flags_apart(void **state)
{
    (void)state;
    struct block *block = block_here(0);
    block_make_used(block, some_span, 4096, false);
    assert_int_equal(block_size(block), 4096);
    assert_false(block_is_free(block));
    assert_true(block_prev_is_free(block));
    block_set_prev_used(block, true);
    block_set_size(block, 128);
    assert_int_equal(block_size(block), 128);
    assert_false(block_prev_is_free(block));
    assert_false(block_is_free(block));
    block_set_prev_used(block, false);
    assert_true(block_prev_is_free(block));
}

static void owner_and_magic_share_a_word(void **state)
{
    (void)state;
    struct block *block = block_here(0);
    struct span *highest = (struct span *)0xfffffffff000;
    block_set_owner(block, highest, BLOCK_MAGIC_FREE);
    assert_ptr_equal(block_owner(block), highest);
    assert_int_equal(block_magic(block), BLOCK_MAGIC_FREE);
    block_set_owner(block, some_span, BLOCK_MAGIC_USED);
    assert_ptr_equal(block_owner(block), some_span);
    assert_int_equal(block_magic(block), BLOCK_MAGIC_USED);
}

static void neighbours_find_each_other(void **state)
{
    (void)state;
    struct block *first = make_free(0, 64);
    struct block *second = block_after(first);
    block_make_used(second, some_span, 96, false);
    assert_ptr_equal(second, block_here(64));
    assert_ptr_equal(block_before(second), first);
    assert_ptr_equal(block_from_payload(block_payload(second)), second);
    assert_int_equal(block_payload_size(second), 80);
}

static void bins_are_ordered_by_size(void **state)
{
    (void)state;
    unsigned last = 0;
    for (size_t gross = BLOCK_MIN; gross < 2 * BIN_LARGE; gross += ALIGNMENT) {
        unsigned bin = bin_of(gross);
        assert_true(bin == last || bin == last + 1);
        last = bin;
    }
    assert_int_equal(bin_of(BLOCK_MIN), 0);
    assert_int_equal(last, BIN_LAST);
    assert_int_equal(bin_of(BIN_LARGE - ALIGNMENT), BIN_LAST - 1);
    assert_int_equal(bin_of(BIN_LARGE), BIN_LAST);
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
}

static void put_take_keeps_bitmap_and_links(void **state)
{
    (void)state;
    struct block *row[ROW];
    for (size_t i = 0; i < ROW; i++) {
        row[i] = make_free(i * 128, 128);
        bins_put(&bins, row[i]);
    }
    assert_int_equal(bins_highest(&bins), (int)bin_of(128));
    bins_take(&bins, row[3]);       /* in the middle */
    bins_take(&bins, row[ROW - 1]); /* the head */
    bins_take(&bins, row[0]);       /* the tail */
    size_t left = 0;
    for (struct block *block = bins.first[bin_of(128)]; block; block = block->next, left++)
        assert_true(!block->next || block->next->prev == block);
    assert_int_equal(left, ROW - 3);
    for (size_t i = 0; i < ROW; i++)
        if (i != 3 && i != ROW - 1 && i != 0)
            bins_take(&bins, row[i]);
    assert_int_equal(bins.map, 0);
    assert_int_equal(bins_highest(&bins), -1);
}

static void find_prefers_the_smallest_bin(void **state)
{
    (void)state;
    struct block *large = make_free(0, 2048);
    struct block *small = make_free(2048, 256);
    bins_put(&bins, small);
    bins_put(&bins, large);
    assert_ptr_equal(bins_find(&bins, 128), small);
    assert_ptr_equal(bins_find(&bins, 256), small);
    assert_ptr_equal(bins_find(&bins, 272), large);
    assert_null(bins_find(&bins, 2064));
}

static void find_looks_into_its_own_bin_last(void **state)
{
    (void)state;
    /* 640 and 752 share a bin, so a block of 704 may or may not be there. */
    assert_int_equal(bin_of(640), bin_of(752));
    bins_put(&bins, make_free(0, 752));
    bins_put(&bins, make_free(1024, 640));
    assert_ptr_equal(bins_find(&bins, 704), block_here(0));
    bins_put(&bins, make_free(2048, 1024));
    assert_ptr_equal(bins_find(&bins, 704), block_here(2048));
}

static void resize_moves_between_bins(void **state)
{
    (void)state;
    struct block *block = make_free(0, 512);
    bins_put(&bins, block);
    bins_resize(&bins, block, 128);
    assert_int_equal(bins.map, UINT64_C(1) << bin_of(128));
    assert_int_equal(block_size(block), 128);
    assert_int_equal(*block_footer(block), 128);
    assert_ptr_equal(block_footer(block), arena + 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(gross_sizes, clear),
        cmocka_unit_test_setup(tag_keeps_size_and_flags_apart, clear),
        cmocka_unit_test_setup(owner_and_magic_share_a_word, clear),
        cmocka_unit_test_setup(neighbours_find_each_other, clear),
        cmocka_unit_test_setup(bins_are_ordered_by_size, clear),
        cmocka_unit_test_setup(bin_for_promises_a_fit, clear),
        cmocka_unit_test_setup(put_take_keeps_bitmap_and_links, clear),
        cmocka_unit_test_setup(find_prefers_the_smallest_bin, clear),
        cmocka_unit_test_setup(find_looks_into_its_own_bin_last, clear),
        cmocka_unit_test_setup(resize_moves_between_bins, clear),
    };
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
