/*
 * The histogram of durations: its buckets hold all numbers without gap or overlap, none is wider
 * than it may be, and its percentiles are those of the sorted numbers, as exact as was promised.
 */
#include "bench/histogram.h"
#include "cmocka_all.h"
#include "workloads/prng.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 20000, TOP_BIT = 46 };

static struct histogram histogram, other;
static uint64_t number[NUMBERS];

static int setup(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    memset(&other, 0, sizeof(other));
    return 0;
}

static void test_buckets_have_no_gap_and_no_overlap(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(0), 0);
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t most = histogram_most(i);
        assert_int_equal(histogram_bucket(most), i);
        assert_int_equal(histogram_bucket(most + 1), i + 1);
    }
}

static void test_a_bucket_is_no_wider_than_a_32nd(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t least = histogram_most(i - 1) + 1;
        uint64_t most = histogram_most(i);
        assert_true(most >= least);
        assert_true((most - least) * 32 < least);
    }
}

static void test_small_numbers_have_buckets_of_their_own(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 64; i++)
        assert_int_equal(histogram_most(histogram_bucket(i)), i);
    assert_int_equal(histogram_bucket(64), histogram_bucket(65));
}

static void test_what_is_too_large_goes_to_the_last_bucket(void **state)
{
    (void)state;
    const uint64_t large[] = {UINT64_C(1) << TOP_BIT, UINT64_C(1) << 60, UINT64_MAX};
    const unsigned last = HISTOGRAM_BUCKETS - 1;
    assert_int_equal(histogram_most(last), (UINT64_C(1) << TOP_BIT) - 1);
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        assert_int_equal(histogram_bucket(large[i]), last);
        histogram_add(&histogram, large[i]);
    }
    assert_int_equal(histogram_total(&histogram), 3);
    assert_int_equal(histogram_percentile(&histogram, 0.5), histogram_most(last));
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void fill(uint64_t seed, size_t n)
{
    struct prng prng = prng_of_seed(seed, 0);
    for (size_t i = 0; i < n; i++) {
        number[i] = prng_log_uniform(&prng, 0, TOP_BIT - 1);
        histogram_add(&histogram, number[i]);
    }
    qsort(number, n, sizeof(number[0]), compare);
}

static void test_percentiles_are_those_of_the_sorted_numbers(void **state)
{
    const double share[] = {0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    const size_t counts[] = {1, 2, 9, 10, 11, 1000, NUMBERS};
    for (uint64_t seed = 0; seed < sizeof(counts) / sizeof(counts[0]); seed++) {
        size_t n = counts[seed];
        setup(state);
        fill(seed, n);
        for (size_t i = 0; i < sizeof(share) / sizeof(share[0]); i++) {
            size_t place = (size_t)(share[i] * (double)n);
            if ((double)place < share[i] * (double)n)
                place++;
            uint64_t exact = number[place > 0 ? place - 1 : 0];
            uint64_t told = histogram_percentile(&histogram, share[i]);
            assert_true(told >= exact);
            assert_true(32 * (told - exact) < exact || told == exact);
        }
    }
}

static void test_nothing_counted_is_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_total(&histogram), 0);
    assert_int_equal(histogram_percentile(&histogram, 0.99), 0);
}

static void test_merging_is_counting_all_in_one(void **state)
{
    (void)state;
    static struct histogram all;
    struct prng prng = prng_of_seed(1, 2);
    memset(&all, 0, sizeof(all));
    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t x = prng_log_uniform(&prng, 0, 60);
        histogram_add(i % 3 ? &histogram : &other, x);
        histogram_add(&all, x);
    }
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram_total(&histogram), NUMBERS);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        assert_int_equal(atomic_load(&histogram.count[i]), atomic_load(&all.count[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_buckets_have_no_gap_and_no_overlap, setup),
        cmocka_unit_test_setup(test_a_bucket_is_no_wider_than_a_32nd, setup),
        cmocka_unit_test_setup(test_small_numbers_have_buckets_of_their_own, setup),
        cmocka_unit_test_setup(test_what_is_too_large_goes_to_the_last_bucket, setup),
        cmocka_unit_test_setup(test_percentiles_are_those_of_the_sorted_numbers, setup),
        cmocka_unit_test_setup(test_nothing_counted_is_zero, setup),
        cmocka_unit_test_setup(test_merging_is_counting_all_in_one, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
