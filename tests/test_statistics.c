/* What the library tells of itself, and what it gives back when it is told to. */
#include "allocator/check.h"
#include "allocator/libspan.h"
#include "allocator/statistics.h"
#include "api_fixture.h"
#if SPAN_FAST
#include "allocator/own_cache.h"
#endif
#include "cmocka_all.h"
#include "emulation.h"
#include "workloads/prng.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKS = 3000,
    STEPS = 30,
    TIMES = 200,
    MIB = 1 << 20,
    LARGE = 16 * MIB,
    /* What the span of a block and its neighbours may take beside it; arbitrary, a tenth. */
    OVERHEAD_SHARE = 10,
    /* Blocks of the allocator itself: the cache of a thread has one for each size. */
    OWN_BLOCKS = SPAN_FAST ? 100 : 0,
};

static void *blocks[BLOCKS];
static size_t sizes[BLOCKS];

static void sum_up(struct statistics *sum)
{
    *sum = (struct statistics){0};
    for (int i = 0; i < BUILD_ARENAS; i++) {
        struct statistics statistics;
        statistics_of_arena(i, &statistics);
        statistics_add(sum, &statistics);
    }
}

static void assert_is_told(size_t count, size_t live)
{
    struct span_mallinfo2 info = span_mallinfo2();
    struct statistics sum;
    sum_up(&sum);
    assert_in_range(sum.used.count, count, count + OWN_BLOCKS);
    assert_int_equal(info.arena, info.uordblks + info.fordblks);
    assert_int_equal(info.arena + info.hblkhd, sum.spans.bytes);
    size_t told = info.uordblks + info.hblkhd;
    assert_in_range(told, live, live + live / OVERHEAD_SHARE + BLOCKS * BLOCK_MIN + MIB);
    assert_in_range(sum.used.bytes, live, told);
    assert_true(info.keepcost <= info.fordblks && info.fsmblks <= info.fordblks);
    assert_int_equal(info.usmblks, 0);
}

static void what_is_live_is_told(void **state)
{
    (void)state;
    struct prng prng = prng_of_seed(5, 5);
    size_t live = 0;
    size_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BLOCKS; i++) {
            size_t at = prng_below(&prng, BLOCKS);
            count -= blocks[at] != NULL;
            live -= sizes[at];
            span_free(blocks[at]);
            sizes[at] = prng_below(&prng, 3) ? prng_log_uniform(&prng, 1, step % 3 ? 10 : 19) : 0;
            blocks[at] = sizes[at] ? span_malloc(sizes[at]) : NULL;
            count += blocks[at] != NULL;
            live += sizes[at];
        }
        assert_is_told(count, live);
    }
    for (int i = 0; i < BLOCKS; i++)
        span_free(blocks[i]);
    memset(blocks, 0, sizeof blocks);
    memset(sizes, 0, sizeof sizes);
    assert_is_told(0, 0);
}

static void narrow_numbers_are_clamped(void **state)
{
    (void)state;
    void *p = span_malloc((size_t)3 << 30);
    struct span_mallinfo2 wide = span_mallinfo2();
    struct span_mallinfo narrow = span_mallinfo();
    assert_true(wide.hblkhd >= (size_t)3 << 30);
    assert_int_equal(narrow.hblkhd, INT_MAX);
    assert_int_equal((size_t)narrow.arena, wide.arena);
    assert_int_equal((size_t)narrow.hblks, wide.hblks);
    span_free(p);
}

/* Large blocks that come and go are kept in the end. */
static void fill_and_empty(void)
{
    span_malloc_trim(0);
    for (int times = 0; times < 4; times++) {
        void *p = span_malloc(LARGE);
        memset(p, 1, LARGE);
        span_free(p);
    }
}

static void trimming_gives_back_what_is_kept(void **state)
{
    (void)state;
    fill_and_empty();
    assert_true(span_mallinfo2().keepcost >= LARGE);
    errno = EDOM;
    size_t before = resident();
    assert_int_equal(span_malloc_trim(0), 1);
    assert_int_equal(errno, EDOM);
    assert_int_equal(span_mallinfo2().keepcost, 0);
    assert_true(is_emulated() || resident() + LARGE / 2 < before);
    assert_int_equal(span_malloc_trim(0), 0);
}

static void trimming_leaves_the_pad(void **state)
{
    (void)state;
    fill_and_empty();
    size_t kept = span_mallinfo2().keepcost;
    assert_int_equal(span_malloc_trim(kept), 0);
    assert_int_equal(span_mallinfo2().keepcost, kept);
    assert_int_equal(span_malloc_trim(kept - 1), 1);
    assert_true(span_mallinfo2().keepcost < kept);
    span_malloc_trim(0);
}

static void trimming_brings_cached_blocks_home(void **state)
{
    (void)state;
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = span_malloc(200);
    for (int i = 0; i < BLOCKS; i += 2)
        span_free(blocks[i]);
    for (int i = 1; i < BLOCKS; i += 2)
        span_free(blocks[i]);
    memset(blocks, 0, sizeof blocks);
    struct statistics before, after;
    sum_up(&before);
    span_malloc_trim(0);
    sum_up(&after);
    assert_true(after.used.count <= OWN_BLOCKS);
    assert_int_equal(before.cached.count > 0, SPAN_FAST);
    /* What is left is to be merged. */
    assert_int_equal(after.cached.count < before.cached.count, SPAN_FAST);
#if SPAN_FAST
    for (unsigned i = 0; i < CACHE_CLASSES; i++)
        assert_int_equal(own_cache->classes[i].count, 0);
#endif
}

static void an_overwritten_header_ends_the_walk(void **state)
{
    (void)state;
    void *p = span_malloc(100);
    struct block *block = block_from_payload(p);
    size_t gross = block_size(block);
    unsigned flags = block_flags(block);
    const size_t wrong[] = {16, gross * 1024 * 1024};
    for (int i = 0; i < 2; i++) {
        block_set_tag(block, wrong[i], flags);
        struct statistics sum;
        sum_up(&sum);
        assert_true(sum.spans.count > 0);
    }
    block_set_tag(block, gross, flags);
    span_free(p);
}

static void threads_at_work_do_not_disturb(void **state)
{
    (void)state;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    hammers_start();
    for (int i = 0; i < TIMES; i++) {
        struct span_mallinfo2 info = span_mallinfo2();
        assert_int_equal(info.arena, info.uordblks + info.fordblks);
        assert_int_equal(span_malloc_info(0, nowhere), 0);
        span_malloc_trim(0);
    }
    hammers_stop();
    fclose(nowhere);
}

static void what_has_no_meaning_is_refused(void **state)
{
    (void)state;
    assert_int_equal(span_malloc_info(1, stderr), EINVAL);
    for (int parameter = -20; parameter < 20; parameter++) {
        bool known = parameter == 1 || (parameter >= -8 && parameter <= -1);
        assert_int_equal(span_mallopt(parameter, 1), known);
    }
    span_cfree(NULL);
    span_cfree(span_malloc(10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_live_is_told, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(narrow_numbers_are_clamped, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(trimming_gives_back_what_is_kept, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(trimming_leaves_the_pad, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(trimming_brings_cached_blocks_home, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(an_overwritten_header_ends_the_walk, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(threads_at_work_do_not_disturb, limit_time, sound_api),
        cmocka_unit_test_setup_teardown(what_has_no_meaning_is_refused, limit_time, sound_api),
    };
    return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
