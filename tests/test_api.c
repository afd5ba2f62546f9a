/* The public functions: what C, POSIX and glibc promise, threads and fork. */
#include "allocator/libspan.h"
#include "cmocka_all.h"
#include "emulation.h"
#include "fake_os.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A lock that is never released would hang a test, not fail it. */
static int limit_time(void **state)
{
    (void)state;
    alarm(30);
    return 0;
}

static int sound(void **state)
{
    (void)state;
    return span_check() ? -1 : 0;
}

static bool is_byte(const unsigned char *p, size_t bytes, unsigned char byte)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static void malloc_of_zero_is_a_pointer_of_its_own(void **state)
{
    (void)state;
    enum { WAYS = 10 };
    void *p[WAYS] = {
        span_malloc(0),    span_malloc(0),        span_calloc(0, 8),         span_calloc(8, 0),
        span_calloc(0, 0), span_realloc(NULL, 0), span_aligned_alloc(64, 0), span_memalign(64, 0),
        span_valloc(0),
    };
    assert_int_equal(span_posix_memalign(&p[WAYS - 1], 64, 0), 0);
    for (int i = 0; i < WAYS; i++) {
        assert_non_null(p[i]);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(p[i], p[j]);
    }
    for (int i = 0; i < WAYS; i++)
        span_free(p[i]);
    span_free(NULL);
}

static void calloc_zeroes_used_memory(void **state)
{
    (void)state;
    for (size_t request = 1; request < 300000; request = request * 3 + 1) {
        void *dirty = span_malloc(request);
        memset(dirty, 0xff, request);
        span_free(dirty);
        unsigned char *p = span_calloc(1, request);
        assert_true(is_byte(p, request, 0));
        span_free(p);
    }
}

static void calloc_counts_elements(void **state)
{
    (void)state;
    const size_t shapes[][2] = {{1, 1000}, {1000, 1}, {40, 25}, {3, 333}};
    for (size_t i = 0; i < 4; i++) {
        unsigned char *p = span_calloc(shapes[i][0], shapes[i][1]);
        size_t bytes = shapes[i][0] * shapes[i][1];
        assert_true(span_malloc_usable_size(p) >= bytes);
        assert_true(is_byte(p, bytes, 0));
        memset(p, 0xff, bytes);
        span_free(p);
    }
}

/* NULL, and errno says ENOMEM; it was something else before. */
static void expect_enomem(void *p)
{
    assert_null(p);
    assert_int_equal(errno, ENOMEM);
    errno = EDOM;
}

static void products_that_overflow_are_refused(void **state)
{
    (void)state;
    const size_t half = SIZE_MAX / 2 + 1; /* times 2 is 0 */
    char *p = span_malloc(10);
    memset(p, 'o', 10);
    errno = EDOM;
    expect_enomem(span_calloc(half, 2));
    expect_enomem(span_calloc(2, half));
    expect_enomem(span_calloc(SIZE_MAX, SIZE_MAX));
    expect_enomem(span_calloc(SIZE_MAX / 8 + 2, 8)); /* 8 */
    expect_enomem(span_reallocarray(p, half, 2));
    expect_enomem(span_reallocarray(p, SIZE_MAX / 8 + 2, 8));
    expect_enomem(span_reallocarray(NULL, half, 2));
    assert_true(is_byte((unsigned char *)p, 10, 'o'));
    p = span_reallocarray(p, 20, 3);
    assert_true(span_malloc_usable_size(p) >= 60);
    span_free(p);
}

static void sizes_without_end_are_refused(void **state)
{
    (void)state;
    const size_t absurd[] = {SIZE_MAX,        SIZE_MAX - 15,    SIZE_MAX - 63,
                             SIZE_MAX - 4095, SIZE_MAX / 2 + 1, PTRDIFF_MAX};
    unsigned char *p = span_malloc(100);
    memset(p, 'k', 100);
    errno = EDOM;
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        expect_enomem(span_malloc(absurd[i]));
        expect_enomem(span_calloc(1, absurd[i]));
        expect_enomem(span_realloc(NULL, absurd[i]));
        expect_enomem(span_realloc(p, absurd[i]));
        expect_enomem(span_reallocarray(p, absurd[i], 1));
        expect_enomem(span_valloc(absurd[i]));
        expect_enomem(span_pvalloc(absurd[i]));
        for (size_t align = 1; align != 0; align *= 2) {
            expect_enomem(span_aligned_alloc(align, absurd[i]));
            expect_enomem(span_memalign(align, absurd[i]));
        }
        assert_true(is_byte(p, 100, 'k'));
    }
    span_free(p);
}

static void alignments_without_end_are_refused(void **state)
{
    (void)state;
    void *untouched = NULL;
    errno = EDOM;
    for (size_t align = (size_t)1 << 62; align != 0; align *= 2) {
        expect_enomem(span_aligned_alloc(align, 1));
        expect_enomem(span_memalign(align, 1));
        assert_int_equal(span_posix_memalign(&untouched, align, 1), ENOMEM);
    }
    expect_enomem(span_memalign(SIZE_MAX, 1));
    expect_enomem(span_memalign(SIZE_MAX / 2 + 2, 1));
}

static void realloc_of_null_and_to_zero(void **state)
{
    (void)state;
    void *p = span_realloc(NULL, 100);
    assert_non_null(p);
    assert_true(span_malloc_usable_size(p) >= 100);
    errno = EDOM;
    assert_null(span_realloc(p, 0)); /* freed, as in glibc: not a failure */
    assert_int_equal(errno, EDOM);
    p = span_reallocarray(NULL, 10, 10);
    assert_non_null(p);
    assert_null(span_reallocarray(p, 0, 10));
    long maps = fake_os.maps;
    for (int i = 0; i < 100; i++) /* what was freed is used again */
        assert_null(span_realloc(span_malloc(30000), 0));
    assert_true(fake_os.maps <= maps + 1);
}

/* Every function, while the system has no more pages. */
static void no_memory_is_null_and_enomem(void **state)
{
    (void)state;
    enum { LARGE = 8 << 20 };
    void *untouched = (void *)0x10;
    unsigned char *p = span_malloc(100);
    memset(p, 'n', 100);
    fake_os.maps_fail = true;
    errno = EDOM;
    expect_enomem(span_malloc(LARGE));
    expect_enomem(span_calloc(LARGE, 1));
    expect_enomem(span_realloc(NULL, LARGE));
    expect_enomem(span_realloc(p, LARGE));
    expect_enomem(span_reallocarray(p, LARGE, 2));
    expect_enomem(span_aligned_alloc(64, LARGE));
    expect_enomem(span_memalign(LARGE, 100));
    expect_enomem(span_valloc(LARGE));
    expect_enomem(span_pvalloc(LARGE));
    assert_int_equal(span_posix_memalign(&untouched, 64, LARGE), ENOMEM);
    fake_os.maps_fail = false;
    assert_ptr_equal(untouched, (void *)0x10);
    assert_int_equal(errno, EDOM);
    assert_true(is_byte(p, 100, 'n'));
    p = span_realloc(p, LARGE);
    assert_true(is_byte(p, 100, 'n'));
    span_free(p);
}

static void realloc_keeps_the_prefix(void **state)
{
    (void)state;
    unsigned char *p = NULL;
    size_t old = 0;
    const size_t sizes[] = {10, 5000, 100, 300000, 200000, 5 << 20, 1 << 20, 64, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        p = span_realloc(p, sizes[i]);
        assert_non_null(p);
        assert_true(is_byte(p, old < sizes[i] ? old : sizes[i], 'r'));
        memset(p, 'r', sizes[i]);
        old = sizes[i];
    }
    span_free(p);
}

/* The system moves the pages of a large buffer: nothing is mapped anew and filled by copying. */
static void large_buffers_grow_without_copies(void **state)
{
    (void)state;
    enum { FIRST = 1 << 20, LAST = 40 << 20, STEP = 200000 };
    unsigned char *p = span_malloc(FIRST);
    memset(p, 'l', FIRST);
    long remaps = fake_os.remaps;
    for (size_t bytes = FIRST; bytes < LAST; bytes += STEP) {
        long maps = fake_os.maps;
        p = span_realloc(p, bytes + STEP);
        assert_non_null(p);
        assert_int_equal(fake_os.maps, maps);
        memset(p + bytes, 'l', STEP);
        void *between = span_malloc(STEP); /* perhaps right behind it */
        assert_non_null(between);
        span_free(between);
    }
    assert_true(fake_os.remaps > remaps);
    assert_true(is_byte(p, LAST, 'l'));
    span_free(p);
}

static void free_keeps_errno(void **state)
{
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        void *small = span_malloc(10);
        void *large = span_malloc(40 << 20);
        fake_os.unmaps_fail = refuses; /* and when the system does not take it back */
        errno = EDOM;
        span_free(large);
        span_free(small);
        span_free(NULL);
        assert_int_equal(errno, EDOM);
        fake_os.unmaps_fail = false;
    }
    span_free(span_malloc(39 << 20)); /* what was not taken back is now */
}

/* Whatever the system refused on the way: there was another one. */
static void realloc_that_succeeds_keeps_errno(void **state)
{
    (void)state;
    enum { LARGE = 8 << 20 };
    const size_t requests[] = {3 * LARGE, 2 * LARGE, 100};
    unsigned char *p = span_malloc(LARGE);
    memset(p, 'e', LARGE);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        long failures = fake_os.failures;
        fake_os.map_fails_in = 0;
        errno = EDOM;
        p = span_realloc(p, requests[i]);
        assert_non_null(p);
        assert_int_equal(errno, EDOM);
        assert_true(is_byte(p, requests[i] < LARGE ? requests[i] : LARGE, 'e'));
        assert_true(fake_os.failures > failures || requests[i] < 3 * LARGE);
        fake_os.map_fails_in = FAKE_OS_NEVER;
    }
    span_free(p);
}

static void posix_memalign_follows_posix(void **state)
{
    (void)state;
    void *untouched = (void *)0x10;
    void *p = untouched;
    errno = EDOM;
    const size_t refused[] = {0, 1, 2, 4, 12, 24, 100};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(span_posix_memalign(&p, refused[i], 10), EINVAL);
    assert_int_equal(span_posix_memalign(&p, 64, SIZE_MAX - 100), ENOMEM);
    assert_ptr_equal(p, untouched);
    assert_int_equal(errno, EDOM);
    for (size_t align = 8; align <= 1 << 22; align *= 2) {
        assert_int_equal(span_posix_memalign(&p, align, 100), 0);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 'a', 100);
        span_free(p);
    }
}

static void every_power_of_two_is_an_alignment(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 1 << 24; align *= 2) {
        for (size_t request = 1; request < 100000; request = request * 9 + 1) {
            unsigned char *p = span_aligned_alloc(align, request);
            unsigned char *q = span_memalign(align, request);
            assert_int_equal((uintptr_t)p % align, 0);
            assert_int_equal((uintptr_t)q % align, 0);
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_true(span_malloc_usable_size(p) >= request);
            memset(p, 'p', request);
            memset(q, 'q', request);
            p = span_realloc(p, 2 * request); /* alignment is not kept, contents are */
            assert_true(is_byte(p, request, 'p'));
            assert_true(is_byte(q, request, 'q'));
            span_free(p);
            span_free(q);
        }
    }
}

static void aligned_alloc_refuses_what_is_no_power_of_two(void **state)
{
    (void)state;
    const size_t refused[] = {0, 3, 12, 24, 100, 4095, SIZE_MAX};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        errno = EDOM;
        assert_null(span_aligned_alloc(refused[i], 10));
        assert_int_equal(errno, EINVAL);
    }
}

static void memalign_rounds_alignments_up(void **state)
{
    (void)state;
    const size_t rounded[][2] = {{0, 16}, {3, 16}, {100, 128}, {4097, 8192}};
    for (size_t i = 0; i < 4; i++) {
        void *p = span_memalign(rounded[i][0], 10);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % rounded[i][1], 0);
        span_free(p);
    }
}

static void valloc_and_pvalloc_give_pages(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t request = 0; request < 3 * page; request += page / 2) {
        void *p = span_valloc(request);
        void *q = span_pvalloc(request);
        assert_int_equal((uintptr_t)p % page, 0);
        assert_int_equal((uintptr_t)q % page, 0);
        assert_true(span_malloc_usable_size(p) >= request);
        assert_true(span_malloc_usable_size(q) >= (request + page - 1) / page * page);
        span_free(p);
        span_free(q);
    }
}

static void usable_size_may_be_used(void **state)
{
    (void)state;
    assert_int_equal(span_malloc_usable_size(NULL), 0);
    void *p[200];
    for (size_t i = 0; i < 200; i++) {
        p[i] = span_malloc(i * 7);
        assert_true(span_malloc_usable_size(p[i]) >= i * 7);
        memset(p[i], 0xee, span_malloc_usable_size(p[i]));
    }
    assert_int_equal(span_check(), 0);
    for (size_t i = 0; i < 200; i++)
        span_free(p[i]);
}

enum { THREADS = 4, ROUNDS = 20000, TABLE = 256 };

/* Blocks that any thread may free, each an exchange. */
static _Atomic(void *) table[TABLE];

static void *exchange_blocks(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1103515245 + 12345; /* the C standard's example rand */
        size_t request = sizeof(size_t) + random % 3000;
        size_t *p = round % 8 ? span_malloc(request) : span_calloc(1, request);
        *p = request;
        size_t *other =
            __atomic_exchange_n((void **)&table[(random >> 16) % TABLE], p, __ATOMIC_ACQ_REL);
        if (!other)
            continue;
        if (span_malloc_usable_size(other) < *other)
            return other;
        span_free(other);
    }
    return NULL;
}

static void sized_frees_free(void **state)
{
    (void)state;
    errno = EDOM;
    span_free_sized(NULL, 0);
    span_free_aligned_sized(NULL, 64, 0);
    for (size_t request = 1; request < 300000; request = request * 3 + 1) {
        void *p = span_malloc(request);
        void *q = span_aligned_alloc(256, request);
        memset(p, 's', request);
        memset(q, 's', request);
        span_free_sized(p, request);
        span_free_aligned_sized(q, 256, request);
    }
    assert_int_equal(errno, EDOM);
}

static void threads_free_each_others_blocks(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, exchange_blocks, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    for (int i = 0; i < TABLE; i++)
        span_free(table[i]);
}

static _Atomic bool stop;

static void *allocate_until_stopped(void *unused)
{
    (void)unused;
    while (!stop)
        span_free(span_malloc(100));
    return NULL;
}

static void a_child_of_a_threaded_process_can_allocate(void **state)
{
    (void)state;
    if (is_emulated())
        skip();
    pthread_t thread;
    stop = false;
    assert_int_equal(pthread_create(&thread, NULL, allocate_until_stopped, NULL), 0);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(10); /* a lock left behind would hang here */
            span_free(span_malloc(1000));
            _exit(span_check() ? 1 : 0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    stop = true;
    pthread_join(thread, NULL);
}

static void allocate_in_handler(void)
{
    span_free(span_malloc(100));
}

/* Registered before the allocator's own handlers, so that these run while it holds its lock. */
__attribute__((constructor(101))) static void allocate_around_forks(void)
{
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
}

static void fork_handlers_of_others_may_allocate(void **state)
{
    (void)state;
    pthread_t thread;
    stop = false;
    assert_int_equal(pthread_create(&thread, NULL, allocate_until_stopped, NULL), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    stop = true;
    pthread_join(thread, NULL);
}

static void version_is_told(void **state)
{
    (void)state;
    assert_string_equal(span_version(), "span " SPANBENCH_VERSION);
}

#define API_TEST(name) cmocka_unit_test_setup_teardown(name, limit_time, sound)

int main(void)
{
    fake_os_reset();
    const struct CMUnitTest tests[] = {
        API_TEST(malloc_of_zero_is_a_pointer_of_its_own),
        API_TEST(calloc_zeroes_used_memory),
        API_TEST(calloc_counts_elements),
        API_TEST(products_that_overflow_are_refused),
        API_TEST(sizes_without_end_are_refused),
        API_TEST(alignments_without_end_are_refused),
        API_TEST(realloc_of_null_and_to_zero),
        API_TEST(realloc_keeps_the_prefix),
        API_TEST(large_buffers_grow_without_copies),
        API_TEST(no_memory_is_null_and_enomem),
        API_TEST(free_keeps_errno),
        API_TEST(realloc_that_succeeds_keeps_errno),
        API_TEST(posix_memalign_follows_posix),
        API_TEST(every_power_of_two_is_an_alignment),
        API_TEST(aligned_alloc_refuses_what_is_no_power_of_two),
        API_TEST(memalign_rounds_alignments_up),
        API_TEST(valloc_and_pvalloc_give_pages),
        API_TEST(usable_size_may_be_used),
        API_TEST(sized_frees_free),
        API_TEST(threads_free_each_others_blocks),
        API_TEST(a_child_of_a_threaded_process_can_allocate),
        API_TEST(fork_handlers_of_others_may_allocate),
        API_TEST(version_is_told),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
