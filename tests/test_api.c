/* The public functions: what C, POSIX and glibc promise, threads and fork. */
#include "allocator/libspan.h"
#include "cmocka_all.h"
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
    void *one = span_malloc(0);
    void *other = span_malloc(0);
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(one, other);
    span_free(one);
    span_free(other);
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

static void products_that_overflow_are_refused(void **state)
{
    (void)state;
    errno = 0;
    assert_null(span_calloc(SIZE_MAX / 2, 3));
    assert_int_equal(errno, ENOMEM);
    char *p = span_malloc(10);
    memset(p, 'o', 10);
    errno = 0;
    assert_null(span_reallocarray(p, SIZE_MAX / 2, 3));
    assert_int_equal(errno, ENOMEM);
    assert_true(is_byte((unsigned char *)p, 10, 'o'));
    p = span_reallocarray(p, 20, 3);
    assert_true(span_malloc_usable_size(p) >= 60);
    span_free(p);
    assert_null(span_pvalloc(SIZE_MAX));
    assert_null(span_memalign(SIZE_MAX, 1));
}

static void realloc_of_null_and_to_zero(void **state)
{
    (void)state;
    void *p = span_realloc(NULL, 100);
    assert_non_null(p);
    assert_null(span_realloc(p, 0)); /* freed, as in glibc */
    assert_non_null(p = span_realloc(NULL, 0));
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

static void free_keeps_errno(void **state)
{
    (void)state;
    void *small = span_malloc(10);
    void *large = span_malloc(10 << 20);
    errno = EDOM;
    span_free(large);
    span_free(small);
    assert_int_equal(errno, EDOM);
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

static void aligned_family(void **state)
{
    (void)state;
    errno = 0;
    assert_null(span_aligned_alloc(3, 10));
    assert_int_equal(errno, EINVAL);
    assert_null(span_aligned_alloc(0, 10));
    void *p = span_aligned_alloc(256, 10);
    assert_int_equal((uintptr_t)p % 256, 0);
    span_free(p);
    p = span_memalign(100, 10); /* rounded up to 128 */
    assert_int_equal((uintptr_t)p % 128, 0);
    span_free(p);
    p = span_valloc(10);
    assert_int_equal((uintptr_t)p % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
    span_free(p);
    p = span_pvalloc(10);
    assert_true(span_malloc_usable_size(p) >= (size_t)sysconf(_SC_PAGESIZE));
    span_free(p);
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
        API_TEST(products_that_overflow_are_refused),
        API_TEST(realloc_of_null_and_to_zero),
        API_TEST(realloc_keeps_the_prefix),
        API_TEST(free_keeps_errno),
        API_TEST(posix_memalign_follows_posix),
        API_TEST(aligned_family),
        API_TEST(usable_size_may_be_used),
        API_TEST(threads_free_each_others_blocks),
        API_TEST(a_child_of_a_threaded_process_can_allocate),
        API_TEST(fork_handlers_of_others_may_allocate),
        API_TEST(version_is_told),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
