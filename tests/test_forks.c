/*
 * Processes made by a process with threads: the child can allocate whatever the other threads were
 * doing at that moment, handlers of other libraries can while the fork goes on, and the parent goes
 * on unharmed.
 */
#include "allocator/libspan.h"
#include "api_fixture.h"
#include "cmocka_all.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FORKS = 24,
    BLOCKS = 200,
    BYTES_MAX = 3000,
    CHILD_LIMIT_S = 10, /* a lock left behind would hang the child */
};

static size_t bytes_of(size_t i)
{
    return i * 7919 % BYTES_MAX + 1;
}

static void fill(unsigned char **blocks)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = span_malloc(bytes_of(i));
        memset(blocks[i], (int)i, bytes_of(i));
    }
}

static bool is_whole(const unsigned char *block, size_t i)
{
    for (size_t byte = 0; byte < bytes_of(i); byte++)
        if (block[byte] != (unsigned char)i)
            return false;
    return true;
}

/* Frees the blocks; whether all of them were as they had been filled. */
static bool drain(unsigned char **blocks)
{
    bool whole = true;
    for (size_t i = 0; i < BLOCKS; i++) {
        whole = is_whole(blocks[i], i) && whole;
        span_free(blocks[i]);
    }
    return whole;
}

/* Uses the heap in each way, some of it with blocks of the parent; the status to exit with. */
static int live_as_child(unsigned char **of_parent)
{
    unsigned char *own[BLOCKS];
    alarm(CHILD_LIMIT_S);
    fill(own);
    of_parent[0] = span_realloc(of_parent[0], bytes_of(0));
    bool whole = drain(of_parent);
    whole = drain(own) && whole;
    void *large = span_malloc(10 << 20);
    void *aligned = span_aligned_alloc(4096, 100);
    bool served = large && aligned;
    span_free(large);
    span_free(aligned);
    return whole && served && span_check() == 0 ? 0 : 1;
}

/* Whether a child ended well. */
static bool ends_well(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && status == 0;
}

/* Forks FORKS times; NULL if all children and the parent's blocks were well. */
static void *fork_often(void *unused)
{
    static char wrong;
    (void)unused;
    for (int i = 0; i < FORKS; i++) {
        unsigned char *blocks[BLOCKS];
        fill(blocks);
        pid_t child = fork();
        if (child == 0)
            _exit(live_as_child(blocks));
        bool well = ends_well(child);
        if (!drain(blocks) || !well)
            return &wrong;
    }
    return NULL;
}

static void children_of_a_busy_process_can_allocate(void **state)
{
    (void)state;
    hammers_start();
    void *wrong = fork_often(NULL);
    hammers_stop();
    assert_null(wrong);
}

static void any_thread_may_fork(void **state)
{
    (void)state;
    enum { FORKERS = 2 };
    pthread_t forkers[FORKERS];
    void *wrong[FORKERS];
    hammers_start();
    for (int i = 0; i < FORKERS; i++)
        assert_int_equal(pthread_create(&forkers[i], NULL, fork_often, NULL), 0);
    for (int i = 0; i < FORKERS; i++)
        pthread_join(forkers[i], &wrong[i]);
    hammers_stop();
    assert_null(wrong[0]);
    assert_null(wrong[1]);
}

static int live_and_fork(unsigned char **of_parent)
{
    unsigned char *own[BLOCKS];
    int status = live_as_child(of_parent);
    fill(own);
    pid_t child = fork();
    if (child == 0)
        _exit(live_as_child(own));
    bool well = ends_well(child);
    return drain(own) && well ? status : 1;
}

static void children_may_fork(void **state)
{
    (void)state;
    hammers_start();
    for (int i = 0; i < FORKS / 2; i++) {
        unsigned char *blocks[BLOCKS];
        fill(blocks);
        pid_t child = fork();
        if (child == 0)
            _exit(live_and_fork(blocks));
        assert_true(ends_well(child));
        assert_true(drain(blocks));
    }
    hammers_stop();
}

/* Starts threads as the parent did. */
static int live_with_threads(void)
{
    alarm(CHILD_LIMIT_S);
    hammers_start();
    span_free(span_malloc(BYTES_MAX));
    hammers_stop();
    return span_check() ? 1 : 0;
}

static void children_may_start_threads(void **state)
{
    (void)state;
    if (has_thread_sanitizer()) /* it cannot do this */
        skip();
    hammers_start();
    for (int i = 0; i < FORKS / 2; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(live_with_threads());
        assert_true(ends_well(child));
    }
    hammers_stop();
}

/* What handlers of other libraries do: `kept` is allocated before the fork, freed after it. */
static _Thread_local void *kept_early;
static _Thread_local void *kept_late;

static void allocate_before(void **kept)
{
    unsigned char *blocks[BLOCKS];
    fill(blocks);
    *kept = span_realloc(span_malloc(100), 5000);
    drain(blocks);
}

static void allocate_after(void **kept)
{
    unsigned char *blocks[BLOCKS];
    span_free(*kept);
    fill(blocks);
    drain(blocks);
}

static bool handlers_work;

static void early_before(void)
{
    if (handlers_work)
        allocate_before(&kept_early);
}

static void early_after(void)
{
    if (handlers_work)
        allocate_after(&kept_early);
}

static void late_before(void)
{
    if (handlers_work)
        allocate_before(&kept_late);
}

static void late_after(void)
{
    if (handlers_work)
        allocate_after(&kept_late);
}

/* Before the allocator's own handlers, so that these run while it holds its locks. */
__attribute__((constructor(101))) static void add_early_handlers(void)
{
    pthread_atfork(early_before, early_after, early_after);
}

static void handlers_of_others_may_allocate(void **state)
{
    (void)state;
    assert_int_equal(pthread_atfork(late_before, late_after, late_after), 0);
    handlers_work = true;
    children_of_a_busy_process_can_allocate(state);
    any_thread_may_fork(state);
    handlers_work = false;
}

static void vfork_and_exec(void **state)
{
    (void)state;
    hammers_start();
    for (int i = 0; i < FORKS / 2; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        assert_true(ends_well(child));
    }
    hammers_stop();
}

static void spawned_processes(void **state)
{
    (void)state;
    char name[] = "true";
    char *arguments[] = {name, NULL};
    hammers_start();
    for (int i = 0; i < FORKS / 2; i++) {
        pid_t child = -1;
        assert_int_equal(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, NULL), 0);
        assert_true(ends_well(child));
    }
    hammers_stop();
}

static volatile sig_atomic_t forked_in_handler;

static void fork_in_handler(int signal)
{
    (void)signal;
    int kept = errno;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    forked_in_handler += ends_well(child);
    errno = kept;
}

/* As shells do. Only without threads: with them not even glibc's own fork may be called there. */
static void fork_from_a_signal_handler(void)
{
    struct sigaction action = {.sa_handler = fork_in_handler};
    struct itimerval often = {{0, 500}, {0, 500}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    alarm(CHILD_LIMIT_S);
    sigaction(SIGVTALRM, &action, NULL);
    setitimer(ITIMER_VIRTUAL, &often, NULL);
    while (forked_in_handler < FORKS / 2) {
        unsigned char *blocks[BLOCKS];
        fill(blocks);
        if (!drain(blocks))
            _exit(1);
    }
    setitimer(ITIMER_VIRTUAL, &never, NULL);
    _exit(span_check() ? 1 : 0);
}

static void handlers_of_signals_may_fork(void **state)
{
    (void)state;
    if (has_thread_sanitizer()) /* it cannot do this */
        skip();
    pid_t child = fork();
    if (child == 0)
        fork_from_a_signal_handler();
    assert_true(ends_well(child));
}

#define FORKS_TEST(name) cmocka_unit_test_setup_teardown(name, limit_time, sound_api)

/* `test_forks [NAME]`: all, or the one test. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        FORKS_TEST(handlers_of_signals_may_fork), /* first: no thread has been yet */
        FORKS_TEST(children_of_a_busy_process_can_allocate),
        FORKS_TEST(any_thread_may_fork),
        FORKS_TEST(children_may_fork),
        FORKS_TEST(children_may_start_threads),
        FORKS_TEST(handlers_of_others_may_allocate),
        FORKS_TEST(vfork_and_exec),
        FORKS_TEST(spawned_processes),
    };
    return cmocka_run_group_tests_name("forks", tests, NULL, NULL);
}
