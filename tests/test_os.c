/* The operating system for real, which all other suites of the allocator replace by fake_os.c. */
#include "allocator/os.h"
#include "cmocka_all.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 16, SLEEP_NS = 50 * 1000 * 1000, SPIN_NS = 5 * 1000 * 1000 };

static const int some_errno = EXDEV;

static size_t bytes_of_pages(void)
{
    return PAGES * os_page_size();
}

static void page_size_is_what_libc_says(void **state)
{
    (void)state;
    assert_int_equal(os_page_size(), sysconf(_SC_PAGESIZE));
}

static bool is_mapped(void *start)
{
    unsigned char resident;
    return mincore(start, os_page_size(), &resident) == 0;
}

static void assert_all(const char *start, size_t bytes, char value)
{
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(start[i], value);
}

static void mapped_memory_is_zero_and_goes_back(void **state)
{
    (void)state;
    char *start = os_map(bytes_of_pages());
    assert_non_null(start);
    assert_int_equal((uintptr_t)start % os_page_size(), 0);
    assert_all(start, bytes_of_pages(), 0);
    memset(start, 1, bytes_of_pages());
    errno = some_errno;
    assert_true(os_unmap(start, os_page_size()));
    assert_int_equal(errno, some_errno);
    assert_false(is_mapped(start));
    assert_true(is_mapped(start + os_page_size()));
    assert_true(os_unmap(start + os_page_size(), bytes_of_pages() - os_page_size()));
}

static void memory_that_is_not_there_is_ENOMEM(void **state)
{
    (void)state;
    errno = 0;
    assert_null(os_map((size_t)PTRDIFF_MAX & ~(os_page_size() - 1)));
    assert_int_equal(errno, ENOMEM);
}

static void resized_memory_keeps_its_contents(void **state)
{
    (void)state;
    size_t bytes = bytes_of_pages();
    char *start = os_map(bytes);
    assert_non_null(start);
    memset(start, 1, bytes);
    char *larger = os_remap(start, bytes, 4 * bytes);
    assert_non_null(larger);
    assert_all(larger, bytes, 1);
    assert_all(larger + bytes, 3 * bytes, 0);
    errno = 0;
    assert_null(os_remap(larger, 4 * bytes, (size_t)PTRDIFF_MAX & ~(os_page_size() - 1)));
    assert_int_equal(errno, ENOMEM);
    assert_all(larger, bytes, 1);
    assert_true(os_unmap(larger, 4 * bytes));
}

static void refusals_keep_errno(void **state)
{
    (void)state;
    char *start = os_map(bytes_of_pages());
    assert_non_null(start);
    errno = some_errno;
    assert_false(os_unmap(start + 1, os_page_size()));
    os_expect_use(start + 1, os_page_size());
    assert_int_equal(errno, some_errno);
    assert_true(is_mapped(start));
    assert_true(os_unmap(start, bytes_of_pages()));
}

static void huge_pages_may_be_expected(void **state)
{
    (void)state;
    char *start = os_map((size_t)2 * OS_HUGE_PAGE);
    assert_non_null(start);
    char *huge = start + (-(uintptr_t)start & (OS_HUGE_PAGE - 1));
    errno = some_errno;
    os_expect_use(huge, OS_HUGE_PAGE);
    assert_int_equal(errno, some_errno);
    assert_all(huge, OS_HUGE_PAGE, 0);
    assert_true(os_unmap(start, (size_t)2 * OS_HUGE_PAGE));
}

static void pages_are_faulted_in_at_once(void **state)
{
    (void)state;
    size_t page = os_page_size();
    char *start = os_map(bytes_of_pages());
    assert_non_null(start);
    assert_false(os_is_there(start));
    start[page] = 'x';
    assert_true(os_is_there(start + page));
    errno = some_errno;
    os_fault_in(start, 3 * page);
    assert_int_equal(errno, some_errno);
    if (os_is_there(start)) /* not before Linux 5.14 */
        assert_true(os_is_there(start + 2 * page));
    assert_false(os_is_there(start + 3 * page));
    assert_int_equal(start[page], 'x');
    assert_all(start + 2 * page, page, 0);
    assert_true(os_unmap(start, bytes_of_pages()));
    assert_false(os_is_there(start));
    os_fault_in(start, 3 * page); /* nothing is mapped there: ignored */
    assert_int_equal(errno, some_errno);
}

/* Else a busy machine would make quick pages look slow. */
static void waiting_is_not_spent(void **state)
{
    (void)state;
    uint64_t before_ns = os_spent_ns();
    nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
    assert_true(os_spent_ns() - before_ns < SLEEP_NS / 2);
}

static void work_is_spent(void **state)
{
    (void)state;
    clock_t before = clock();
    uint64_t before_ns = os_spent_ns();
    while ((clock() - before) * (1000000000 / CLOCKS_PER_SEC) < SPIN_NS)
        ;
    assert_true(os_spent_ns() - before_ns >= SPIN_NS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_size_is_what_libc_says),
        cmocka_unit_test(mapped_memory_is_zero_and_goes_back),
        cmocka_unit_test(memory_that_is_not_there_is_ENOMEM),
        cmocka_unit_test(resized_memory_keeps_its_contents),
        cmocka_unit_test(refusals_keep_errno),
        cmocka_unit_test(huge_pages_may_be_expected),
        cmocka_unit_test(pages_are_faulted_in_at_once),
        cmocka_unit_test(waiting_is_not_spent),
        cmocka_unit_test(work_is_spent),
    };
    return cmocka_run_group_tests_name("os", tests, NULL, NULL);
}
