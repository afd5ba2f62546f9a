/*
 * Blocks on static memory: sizes, flags, tags and how neighbours find each other, without spans and
 * without a system. Nothing here counts bytes of a header: what the default build's are is pinned
 * by test_seed.c.
 */
#include "allocator/block.h"
#include "cmocka_all.h"

#include <string.h>

enum { ARENA = 8192 };

static _Alignas(ALIGNMENT) char arena[ARENA];
static struct span *const some_span = (struct span *)arena;

static int clear(void **state)
{
    (void)state;
    memset(arena, 0xcc, sizeof arena);
    return 0;
}

/* Where the first block of a region begins, so that its payload is aligned. */
static struct block *first_block(void)
{
    return block_from_payload(arena + ALIGNMENT);
}

static void gross_sizes_are_the_smallest_that_do(void **state)
{
    (void)state;
    assert_int_equal(BLOCK_MIN % ALIGNMENT, 0);
    assert_int_equal(block_gross(0), BLOCK_MIN);
    for (size_t request = 1; request < 5000; request++) {
        size_t gross = block_gross(request);
        assert_int_equal(gross % ALIGNMENT, 0);
        assert_true(gross >= BLOCK_MIN && gross >= request + BLOCK_HEADER);
        assert_true(gross == BLOCK_MIN || gross < request + BLOCK_HEADER + ALIGNMENT);
    }
}

static void largest_request_does_not_overflow(void **state)
{
    (void)state;
    assert_true(block_gross(BLOCK_REQUEST_MAX) >= BLOCK_REQUEST_MAX + BLOCK_HEADER);
    assert_true(block_gross(BLOCK_REQUEST_MAX) < PTRDIFF_MAX);
}

static void size_and_flags_do_not_touch_each_other(void **state)
{
    (void)state;
    struct block *block = first_block();
    for (int prev_used = 0; prev_used < 2; prev_used++) {
        block_make_used(block, some_span, 4096, prev_used);
        assert_int_equal(block_size(block), 4096);
        assert_false(block_is_free(block));
        assert_int_equal(block_prev_is_free(block), !prev_used);
        block_set_size(block, 128);
        assert_int_equal(block_size(block), 128);
        assert_false(block_is_free(block));
        assert_int_equal(block_prev_is_free(block), !prev_used);
        block_set_prev_used(block, !prev_used);
        assert_int_equal(block_prev_is_free(block), prev_used);
        assert_int_equal(block_size(block), 128);
        assert_false(block_is_free(block));
    }
}

static void sizes_beyond_the_tag_reach_to_the_end_of_the_span(void **state)
{
    (void)state;
    /* A span as far as a block can see it: its size, and where it begins. */
    static _Alignas(ALIGNMENT) size_t region[16];
    struct block *block = block_from_payload(region + 8);
    for (size_t size = (size_t)1 << 30; size < (size_t)1 << 36; size *= 2) {
        region[0] = size;
        block_make_used(block, (struct span *)region, size - sizeof *region * 8, true);
        assert_int_equal(block_size(block), size - sizeof *region * 8);
        assert_false(block_is_free(block));
        assert_false(block_prev_is_free(block));
        block_set_prev_used(block, false);
        assert_int_equal(block_size(block), size - sizeof *region * 8);
    }
}

static void owner_and_magic_do_not_touch_each_other(void **state)
{
    (void)state;
    const enum block_magic magics[] = {
        BLOCK_MAGIC_USED,
        BLOCK_MAGIC_FREE,
#if SPAN_FAST
        BLOCK_MAGIC_CACHED,
        BLOCK_MAGIC_DEFERRED,
#endif
    };
    struct block *block = first_block();
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        block_make_used(block, (struct span *)arena, 256, true);
        block_mark(block, magics[i]);
        assert_int_equal(block_magic(block), magics[i]);
        assert_ptr_equal(block_owner(block), arena);
        assert_int_equal(block_size(block), 256);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(magics[i], magics[j]);
    }
}

static void owners_that_are_no_pages_are_impossible(void **state)
{
    (void)state;
    static _Alignas(BLOCK_PAGE) char span[2 * BLOCK_PAGE];
    struct block *block = block_from_payload(span + BLOCK_PAGE + 64);
    block_make_used(block, (struct span *)span, 256, true);
    assert_true(block_owner_is_possible(block));
    block_make_used(block, (struct span *)(span + ALIGNMENT), 256, true);
    assert_false(block_owner_is_possible(block));
}

static void free_blocks_end_in_their_footer(void **state)
{
    (void)state;
    struct block *block = first_block();
    block_make_free(block, some_span, 256, true);
    assert_true(block_is_free(block));
    assert_false(block_prev_is_free(block));
    assert_int_equal(*block_footer(block), 256);
    assert_ptr_equal((char *)block_footer(block) + BLOCK_FOOTER, block_after(block));
    block_make_free(block, some_span, 512, false);
    assert_true(block_prev_is_free(block));
    assert_int_equal(block_size(block), 512);
    assert_int_equal(block_size_before(block_after(block)), 512);
}

/* Whether all of [from, to) is as it was before the test. */
static bool is_untouched(const void *from, const void *to)
{
    for (const char *p = from; p < (const char *)to; p++)
        if (*p != (char)0xcc)
            return false;
    return true;
}

static void making_a_used_block_writes_its_header_only(void **state)
{
    (void)state;
    struct block *block = first_block();
    block_make_used(block, some_span, 256, true);
    assert_true(is_untouched(arena, block));
    assert_true(is_untouched(block_payload(block), arena + ARENA));
}

static void making_a_free_block_leaves_its_links_and_poison(void **state)
{
    (void)state;
    struct block *block = first_block();
    block_make_free(block, some_span, 256, true);
    assert_true(is_untouched(arena, block));
    assert_true(is_untouched(&block->next, block_footer(block)));
    assert_true(is_untouched(block_after(block), arena + ARENA));
}

static void neighbours_find_each_other(void **state)
{
    (void)state;
    struct block *first = first_block();
    block_make_free(first, some_span, BLOCK_MIN, true);
    struct block *second = block_after(first);
    block_make_used(second, some_span, BLOCK_MIN + ALIGNMENT, false);
    assert_ptr_equal(second, (char *)first + BLOCK_MIN);
    assert_ptr_equal(block_before(second), first);
    assert_ptr_equal(block_after(second), (char *)second + BLOCK_MIN + ALIGNMENT);
    assert_ptr_equal(block_at(first, BLOCK_MIN), second);
}

static void tags_and_owners_reach_as_far_as_they_say(void **state)
{
    (void)state;
    struct block *block = first_block();
    const size_t largest = BLOCK_TAG_MAX & ~(size_t)BLOCK_FLAGS;
    block_set_tag(block, largest, BLOCK_USED);
    assert_int_equal(block_size(block), largest);
    if (!SPAN_FAST)
        return; /* any address is in reach */
    struct span *farthest = (struct span *)((char *)block_payload(block) - BLOCK_DISTANCE_MAX);
    block_set_owner(block, farthest, BLOCK_MAGIC_USED);
    assert_ptr_equal(block_owner(block), farthest);
}

static void payloads_lead_back_to_their_block(void **state)
{
    (void)state;
    struct block *block = first_block();
    for (size_t gross = BLOCK_MIN; gross < 1024; gross += ALIGNMENT) {
        block_make_used(block, some_span, gross, true);
        char *p = block_payload(block);
        assert_int_equal((uintptr_t)p % ALIGNMENT, 0);
        assert_ptr_equal(block_from_payload(p), block);
        assert_int_equal(block_payload_size(block), gross - BLOCK_HEADER);
        assert_true(block_payload_size(block) >= BLOCK_PAYLOAD_MIN);
        block = block_after(block);
        if ((char *)block + 2048 > arena + ARENA)
            block = first_block();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(gross_sizes_are_the_smallest_that_do, clear),
        cmocka_unit_test_setup(largest_request_does_not_overflow, clear),
        cmocka_unit_test_setup(size_and_flags_do_not_touch_each_other, clear),
        cmocka_unit_test_setup(sizes_beyond_the_tag_reach_to_the_end_of_the_span, clear),
        cmocka_unit_test_setup(owner_and_magic_do_not_touch_each_other, clear),
        cmocka_unit_test_setup(owners_that_are_no_pages_are_impossible, clear),
        cmocka_unit_test_setup(free_blocks_end_in_their_footer, clear),
        cmocka_unit_test_setup(making_a_used_block_writes_its_header_only, clear),
        cmocka_unit_test_setup(making_a_free_block_leaves_its_links_and_poison, clear),
        cmocka_unit_test_setup(neighbours_find_each_other, clear),
        cmocka_unit_test_setup(tags_and_owners_reach_as_far_as_they_say, clear),
        cmocka_unit_test_setup(payloads_lead_back_to_their_block, clear),
    };
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
