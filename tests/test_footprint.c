/*
 * Readings of this process's memory, what is subtracted from them, and the curve made from them.
 */
#include "bench/footprint.h"
#include "bench/memory_curve.h"
#include "bench/own_memory.h"
#include "bench/process_memory.h"
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static struct footprint footprint;

static int setup(void **state)
{
    (void)state;
    const char *path;
    return footprint_open(&footprint, &path) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    footprint_close();
    return 0;
}

static void assert_near(int64_t value, int64_t wanted)
{
    if (value < wanted - MIB || value > wanted + MIB)
        fail_msg("%lld is not about %lld", (long long)value, (long long)wanted);
}

static void forget_peaks(void)
{
    footprint.peak = 0;
    footprint.mapped = 0;
    footprint.peak_mapped = 0;
}

#if defined(__SANITIZE_ADDRESS__)
/*
 * The sanitizer reads a byte of its own for each eight that are touched. Where the kernel has no
 * common page of zeros for what was never written, these reads take memory, an eighth of what is
 * measured here.
 */
static void skip_where_reads_take_memory(void)
{
    size_t before = process_memory_rss_exact();
    const volatile char *p =
        mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    for (size_t i = 0; i < 8 * MIB; i += 4096)
        (void)p[i];
    size_t after = process_memory_rss_exact();
    munmap((void *)(uintptr_t)p, 8 * MIB);
    if (after > before + 4 * MIB) {
        print_message("the sanitizer's own reads take memory on this kernel\n");
        skip();
    }
}
#else
static void skip_where_reads_take_memory(void)
{
}
#endif

static void test_both_readings_agree(void **state)
{
    (void)state;
    size_t rss = process_memory_rss();
    assert_true(rss > 0);
    assert_near((int64_t)rss, (int64_t)process_memory_rss_exact());
}

static void test_anonymous_memory_is_what_was_mapped(void **state)
{
    (void)state;
    skip_where_reads_take_memory();
    struct process_memory_share before = process_memory_anonymous();
    void *p = own_memory_map(64 * MIB);
    assert_non_null(p);
    struct process_memory_share with = process_memory_anonymous();
    assert_near((int64_t)(with.resident - before.resident), 64 * MIB);
    assert_near((int64_t)(with.mapped - before.mapped), 64 * MIB);
    own_memory_unmap(p, 64 * MIB);
    struct process_memory_share after = process_memory_anonymous();
    assert_near((int64_t)(after.resident - before.resident), 0);
    assert_near((int64_t)(after.mapped - before.mapped), 0);
}

static void test_peak_is_that_of_the_part(void **state)
{
    (void)state;
    skip_where_reads_take_memory();
    void *p = own_memory_map(64 * MIB);
    own_memory_unmap(p, 64 * MIB);
    forget_peaks();
    assert_true(footprint_begin_part(&footprint, 0));
    p = own_memory_map(16 * MIB);
    own_memory_unmap(p, 16 * MIB);
    footprint_end_part(&footprint);
    assert_near(footprint.peak, 16 * MIB);
    assert_near(footprint.peak_mapped, 16 * MIB);
    assert_near(footprint.mapped, 0);
}

static void test_memory_that_is_mapped_need_not_be_touched(void **state)
{
    (void)state;
    forget_peaks();
    assert_true(footprint_begin_part(&footprint, 0));
    void *p = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    munmap(p, 64 * MIB);
    footprint_end_part(&footprint);
    assert_near(footprint.peak, 0);
    assert_near(footprint.peak_mapped, 64 * MIB);
}

static void test_memory_between_parts_is_not_the_allocators(void **state)
{
    (void)state;
    forget_peaks();
    assert_true(footprint_begin_part(&footprint, 0));
    void *p = own_memory_map(8 * MIB);
    footprint_end_part(&footprint);
    int64_t net = footprint_net_exact(&footprint);
    assert_near(net, 8 * MIB);
    void *harness = own_memory_map(64 * MIB);
    assert_true(footprint_begin_part(&footprint, net));
    assert_near(footprint_net(&footprint), 8 * MIB);
    footprint_end_part(&footprint);
    assert_near(footprint.peak, 8 * MIB);
    own_memory_unmap(harness, 64 * MIB);
    assert_true(footprint_begin_part(&footprint, net));
    own_memory_unmap(p, 8 * MIB);
    footprint_end_part(&footprint);
    assert_near(footprint.peak_mapped, 8 * MIB);
    assert_near(footprint.mapped, 0);
}

static struct memory_curve curve_of(const struct memory_sample *samples, size_t n)
{
    struct memory_curve curve;
    assert_true(memory_curve_open(&curve, n));
    for (size_t i = 0; i < n; i++)
        memory_curve_add(&curve, samples[i]);
    return curve;
}

static void test_waste_is_the_ratio_of_the_integrals(void **state)
{
    (void)state;
    /* Between 0 and 10: rss - live is 50 on average, live 50; between 10 and 30: 0 and 200. */
    const struct memory_sample samples[] = {{0, 0, 0}, {10, 200, 100}, {30, 200, 300}};
    struct memory_curve curve = curve_of(samples, 3);
    assert_float_equal(memory_curve_waste(&curve), 500.0 / 4500.0, 1e-9);
    memory_curve_close(&curve);
}

static void test_waste_of_nothing_is_zero(void **state)
{
    (void)state;
    const struct memory_sample samples[] = {{0, 0, 0}, {10, 200, 0}};
    struct memory_curve curve = curve_of(samples, 2);
    assert_float_equal(memory_curve_waste(&curve), 0, 0);
    memory_curve_close(&curve);
}

static void test_the_moment_of_most_waste_is_the_first_of_its_height(void **state)
{
    (void)state;
    const struct memory_sample samples[] = {
        {0, 50, 60}, {10, 200, 150}, {20, 900, 860}, {30, 300, 250}};
    struct memory_curve curve = curve_of(samples, 4);
    assert_int_equal(memory_curve_most_waste(&curve).op, 10);
    curve.count = 1; /* less than nothing is still the most */
    assert_int_equal(memory_curve_most_waste(&curve).rss, 50);
    curve.count = 0;
    assert_int_equal(memory_curve_most_waste(&curve).rss, 0);
    memory_curve_close(&curve);
}

static void test_curve_file_has_a_header_and_all_samples(void **state)
{
    (void)state;
    enum { SAMPLES = 1000 };
    struct memory_curve curve;
    char line[100];
    int n = 0;
    FILE *file = tmpfile();
    assert_true(memory_curve_open(&curve, SAMPLES));
    for (int i = 0; i < SAMPLES; i++)
        memory_curve_add(&curve, (struct memory_sample){(uint64_t)i, -i, 2 * i});
    assert_true(memory_curve_write(&curve, fileno(file)));
    rewind(file);
    assert_string_equal(fgets(line, sizeof(line), file), "op,rss,live\n");
    for (; fgets(line, sizeof(line), file); n++) {
        long long op, rss, live;
        assert_int_equal(sscanf(line, "%lld,%lld,%lld", &op, &rss, &live), 3);
        assert_true(op == n && rss == -n && live == 2LL * n);
    }
    assert_int_equal(n, SAMPLES);
    fclose(file);
    memory_curve_close(&curve);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_readings_agree),
        TEST(test_anonymous_memory_is_what_was_mapped),
        TEST(test_peak_is_that_of_the_part),
        TEST(test_memory_that_is_mapped_need_not_be_touched),
        TEST(test_memory_between_parts_is_not_the_allocators),
        cmocka_unit_test(test_waste_is_the_ratio_of_the_integrals),
        cmocka_unit_test(test_waste_of_nothing_is_zero),
        cmocka_unit_test(test_the_moment_of_most_waste_is_the_first_of_its_height),
        cmocka_unit_test(test_curve_file_has_a_header_and_all_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
