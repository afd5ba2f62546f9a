/*
 * The public functions over thread caches, which only the tuned build has: what a thread's cache
 * keeps, blocks that are freed with delay, payloads inside of blocks, and how buffers grow; and
 * what a heap does with overwritten headers of 8 bytes. Thread caches by themselves are
 * test_thread_cache.c's business.
 */
#include "allocator/deferred.h"
#include "allocator/libspan.h"
#include "allocator/own_cache.h"
#include "cmocka_all.h"
#include "fake_os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static size_t used_blocks(const struct heap *heap)
{
    size_t used = 0;
    for (const struct span *span = heap->spans.first; span; span = span->next)
        used += span->blkcount - span->deferred_count;
    return used;
}

static size_t delayed_blocks(void)
{
    size_t count = 0;
    for (int i = 0; i < CACHE_DELAY; i++)
        count += own_cache->delayed[i] != NULL;
    return count;
}

static void allocate_all(void **blocks, size_t count, size_t request)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = span_malloc(request);
        assert_non_null(blocks[i]);
    }
}

static void free_all(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        span_free(blocks[i]);
}

static void what_is_freed_last_comes_first(void **state)
{
    (void)state;
    enum { LARGEST = CACHE_REQUEST_MAX / 4 }; /* a list for larger ones may hold one or two */
    for (size_t request = 0; request <= LARGEST; request = request * 2 + 10) {
        void *p[3];
        allocate_all(p, 3, request);
        free_all(p, 3);
        assert_ptr_equal(span_malloc(request), p[2]);
        assert_ptr_equal(span_malloc(request), p[1]);
        free_all(p + 1, 2);
    }
}

/* A block may serve any request of its list, and is kept with those of its own size. */
static void blocks_serve_the_sizes_of_their_list(void **state)
{
    (void)state;
    for (size_t request = CACHE_EXACT_MAX; request < CACHE_REQUEST_MAX; request += 333) {
        unsigned char *p = span_malloc(request);
        size_t usable = span_malloc_usable_size(p);
        assert_true(usable >= request);
        memset(p, 'u', usable);
        span_free(p);
        assert_ptr_equal(span_malloc(request), p);
        span_free(p);
    }
}

enum { MANY = 200 };

static void frees_in_a_row_are_delayed(void **state)
{
    (void)state;
    void *p[MANY];
    while (cache_class_for(own_cache, 3000)->count)
        span_malloc(3000);
    allocate_all(p, MANY, 70);
    assert_int_equal(delayed_blocks(), 0);
    for (size_t i = 0; i < MANY; i++) {
        span_free(p[i]);
        size_t expected = i <= CACHE_FREES_IN_A_ROW ? 0 : i - CACHE_FREES_IN_A_ROW;
        assert_int_equal(delayed_blocks(), expected < CACHE_DELAY ? expected : CACHE_DELAY);
    }
    void *q = span_malloc(3000); /* of any size ends it */
    assert_int_equal(delayed_blocks(), 0);
    assert_int_equal(own_cache->frees, 0);
    for (size_t i = 0; i < MANY; i++) /* q may have taken the place of one that went home */
        assert_true(p[i] == q || block_magic(block_from_payload(p[i])) != BLOCK_MAGIC_USED);
    span_free(q);
}

/* Runs a child that must be aborted with a message that ends so. */
static void expect_abort(void (*run)(void), const char *end)
{
    int ends[2];
    char message[200] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        alarm(10);
        run();
        _exit(0);
    }
    close(ends[1]);
    ssize_t bytes = read(ends[0], message, sizeof message - 1);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(bytes > 0);
    if (!strstr(message, end))
        fail_msg("\"%s\", not \"%s\"", message, end);
}

static const char *const double_free = "double free\n";

/* Frees all of a row, and one of the last again. */
static void free_last_twice(size_t again)
{
    void *p[MANY];
    allocate_all(p, MANY, 70);
    free_all(p, MANY);
    span_free(p[MANY - again]);
}

static void allocate_after_double_free(void)
{
    free_last_twice(1);
    span_malloc(70);
}

static void allocate_other_after_double_free(void)
{
    free_last_twice(CACHE_DELAY - 1);
    span_malloc(7000);
}

static void free_more_after_double_free(void)
{
    void *p[MANY];
    allocate_all(p, MANY, 100);
    free_last_twice(2);
    allocate_all(p, MANY, 100);
}

static void exit_after_double_free(void)
{
    free_last_twice(1);
    exit(0);
}

static void *thread_of_double_free(void *unused)
{
    free_last_twice(1);
    return unused;
}

static void end_thread_after_double_free(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, thread_of_double_free, NULL);
    pthread_join(thread, NULL);
}

static void double_frees_among_delayed_ones_are_found(void **state)
{
    (void)state;
    expect_abort(allocate_after_double_free, double_free);
    expect_abort(allocate_other_after_double_free, double_free);
    expect_abort(free_more_after_double_free, double_free);
    expect_abort(exit_after_double_free, double_free);
    expect_abort(end_thread_after_double_free, double_free);
}

static bool is_inner(const void *p)
{
    return block_magic(block_from_payload(p)) == BLOCK_MAGIC_INNER;
}

/* A payload that is not its block's own; for small requests, whose blocks are not all aligned. */
/* Blocks of one size may all happen to be aligned: one of another size between them ends that. */
static void *allocate_inner(size_t align, size_t request)
{
    void *p = span_aligned_alloc(align, request);
    for (int i = 0; i < 10000 && !is_inner(p); i++) {
        assert_non_null(span_malloc(CACHE_REQUEST_MAX + 1));
        p = span_aligned_alloc(align, request);
    }
    assert_true(is_inner(p));
    return p;
}

static void free_inner_twice(void)
{
    void *p = allocate_inner(256, 100);
    span_free(p);
    span_free(p);
}

static void free_inner_of_reused(void)
{
    void *p = allocate_inner(256, 100);
    span_free(p);
    span_malloc(100 + 256 - ALIGNMENT); /* has the block now */
    span_free(p);
}

static void use_inner_after_free(void)
{
    void *p = allocate_inner(64, 100);
    span_free(p);
    span_free(span_realloc(p, 1000));
}

static void inner_payloads_are_freed_once(void **state)
{
    (void)state;
    expect_abort(free_inner_twice, double_free);
    expect_abort(free_inner_of_reused, double_free);
    expect_abort(use_inner_after_free, "used after it was freed\n");
}

static void inner_payloads_are_like_any_other(void **state)
{
    (void)state;
    size_t inner = 0;
    for (size_t align = 32; align <= 256; align *= 2) {
        for (size_t request = 0; request < CACHE_REQUEST_MAX - align; request = request * 3 + 5) {
            unsigned char *p = span_aligned_alloc(align, request);
            inner += is_inner(p);
            size_t usable = span_malloc_usable_size(p);
            assert_int_equal((uintptr_t)p % align, 0);
            assert_true(usable >= request);
            memset(p, 'i', usable);
            assert_int_equal(span_check(), 0);
            unsigned char *grown = span_realloc(p, 2 * usable);
            assert_true(is_byte(grown, usable, 'i'));
            assert_false(is_inner(grown));
            span_free(grown);
        }
    }
    assert_true(inner > 10);
}

static void larger_alignments_are_not_inner(void **state)
{
    (void)state;
    for (size_t align = 512; align <= 8192; align *= 2) {
        void *p = span_aligned_alloc(align, 100);
        assert_false(is_inner(p));
        assert_true(span_malloc_usable_size(p) < align);
        span_free(p);
    }
}

/* An address with nothing behind it: TSan has most of them to itself. */
#if defined(__SANITIZE_THREAD__) || BUILD_HAS_FEATURE(thread_sanitizer)
#define LONELY_PLACE ((size_t)1 << 36)
#else
#define LONELY_PLACE ((size_t)1 << 45)
#endif

/* Makes the block in the middle of a few look like one of `gross` bytes, and has the others swept.
 */
static void sweep_over(size_t gross)
{
    struct heap heap = {0};
    void *p[9];
    fake_os.place = (void *)LONELY_PLACE;
    heap_allocate_run(&heap, 160, p, 9);
    void *wrong = p[4];
    p[4] = p[8];
    for (int i = 0; i < 8; i++)
        block_mark(block_from_payload(p[i]), BLOCK_MAGIC_CACHED);
    deferred_free_run(&heap, p, 8);
    block_set_size(block_from_payload(wrong), gross);
    heap_allocate(&heap, SPAN_MIN);
}

static void sweep_over_small(void)
{
    sweep_over(BLOCK_MIN - ALIGNMENT);
}

static void sweep_over_large(void)
{
    sweep_over(SPAN_MIN);
}

static void free_of_small_size(void)
{
    struct heap heap = {0};
    void *p = heap_allocate(&heap, 100);
    memset(p, 0xff, 100); /* what seems to be the block behind says that this one is used */
    block_set_size(block_from_payload(p), BLOCK_MIN - ALIGNMENT);
    heap_free(&heap, p);
}

static void flush_of_impossible_owner(void)
{
    struct heap heap = {0};
    void *p = heap_allocate(&heap, 100);
    struct block *block = block_from_payload(p);
    struct span *no_page = (struct span *)((char *)block_owner(block) + ALIGNMENT);
    block_set_owner(block, no_page, BLOCK_MAGIC_CACHED);
    deferred_free_run(&heap, &p, 1);
}

static void headers_are_looked_at(void **state)
{
    (void)state;
    expect_abort(sweep_over_small, "header was overwritten\n");
    expect_abort(sweep_over_large, "header was overwritten\n");
    expect_abort(free_of_small_size, "header was overwritten\n");
    expect_abort(flush_of_impossible_owner, "\n");
}

static void take_with_odd_link(void)
{
    struct heap heap = {0};
    void *row[3];
    for (int i = 0; i < 3; i++)
        row[i] = heap_allocate(&heap, 100);
    heap_free(&heap, row[1]);
    struct block *block = block_from_payload(row[1]);
    block->next = (struct block *)((char *)block_from_payload(row[0]) + 1);
    heap_allocate(&heap, 100);
}

static void links_are_looked_at(void **state)
{
    (void)state;
    expect_abort(take_with_odd_link, "free block was written to\n");
}

static void inner_payloads_shrink(void **state)
{
    (void)state;
    unsigned char *p = allocate_inner(128, 4000);
    memset(p, 's', 4000);
    assert_ptr_equal(span_realloc(p, 3500), p);
    unsigned char *shrunk = span_realloc(p, 100);
    assert_ptr_not_equal(shrunk, p);
    assert_true(is_byte(shrunk, 100, 's'));
    span_free(shrunk);
}

static void inner_payloads_give_all_of_their_block_back(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        span_free(span_aligned_alloc(64, 1000));
    size_t used = used_blocks(&own_cache->arena->heap);
    for (int i = 0; i < 10000; i++)
        span_free(span_aligned_alloc(64, 1000));
    assert_int_equal(used_blocks(&own_cache->arena->heap), used);
}

static void a_block_shrinks_when_less_than_three_quarters_are_used(void **state)
{
    (void)state;
    const size_t sizes[] = {1000, 20000, 100000};
    for (size_t i = 0; i < 3; i++) {
        void *p = span_malloc(sizes[i]);
        size_t usable = span_malloc_usable_size(p);
        assert_ptr_equal(span_realloc(p, usable), p);
        assert_ptr_equal(span_realloc(p, usable - usable / 4), p);
        assert_int_equal(span_malloc_usable_size(p), usable);
        p = span_realloc(p, usable - usable / 4 - 1);
        assert_true(span_malloc_usable_size(p) < usable);
        span_free(p);
    }
}

/*
 * Grows a buffer by `step` at a time with other blocks allocated in between, so that it has no room
 * to grow in place; how many of its bytes were copied: at most, all that it had when it moved.
 */
static size_t bytes_copied(size_t size, size_t step)
{
    size_t copied = 0;
    unsigned char *buffer = span_malloc(step);
    for (size_t bytes = step; bytes < size; bytes += step) {
        void *between = span_malloc(step);
        unsigned char *grown = span_realloc(buffer, bytes + step);
        assert_non_null(grown);
        copied += grown == buffer ? 0 : bytes;
        buffer = grown;
        buffer[bytes] = 'g';
        span_free(between);
    }
    span_free(buffer);
    return copied;
}

static void growing_buffers_are_copied_a_few_times(void **state)
{
    (void)state;
    /* Small blocks are copied for each granule. Above there are eight steps a doubling, each a copy
       of once and a half what the doubling began with: twelve times that, and half as much for the
       doubling before it, and so on. */
    const size_t small = CACHE_EXACT_MAX / ALIGNMENT * (CACHE_EXACT_MAX / 2);
    for (size_t size = 2000; size <= 20 * BIN_LARGE; size *= 3)
        assert_true(bytes_copied(size, 16) < small + 12 * size);
}

static void growing_does_with_little_memory(void **state)
{
    (void)state;
    enum { LARGE = 4 << 20 };
    unsigned char *p = span_malloc(LARGE);
    memset(p, 'l', LARGE);
    long remaps = fake_os.remaps;
    fake_os.map_fails_in = 0; /* not for an eighth more */
    fake_os.fails_on = false;
    p = span_realloc(p, LARGE + 100000);
    assert_non_null(p);
    fake_os.map_fails_in = FAKE_OS_NEVER;
    assert_true(fake_os.remaps > remaps || span_malloc_usable_size(p) >= LARGE + 100000);
    assert_true(is_byte(p, LARGE, 'l'));
    fake_os.maps_fail = true;
    assert_null(span_realloc(p, 2 * LARGE));
    assert_int_equal(errno, ENOMEM);
    fake_os.maps_fail = false;
    assert_true(is_byte(p, LARGE, 'l'));
    span_free(p);
}

static void growing_does_without_an_eighth_more(void **state)
{
    (void)state;
    void *p = span_malloc(4 << 20);
    size_t usable = span_malloc_usable_size(p);
    fake_os.maps_fail = true;
    errno = EDOM;
    p = span_realloc(p, usable + 16); /* which the rest of the span's pages has */
    fake_os.maps_fail = false;
    assert_non_null(p);
    assert_int_equal(errno, EDOM);
    span_free(p);
}

static void growing_beyond_all_bounds_is_refused(void **state)
{
    (void)state;
    const size_t wraps = SIZE_MAX / 9 * 8 + 100; /* with an eighth more */
    void *p = span_malloc(100000);
    assert_true(wraps + wraps / 8 < 1000);
    errno = 0;
    assert_null(span_realloc(p, wraps));
    assert_int_equal(errno, ENOMEM);
    assert_true(span_malloc_usable_size(p) >= 100000);
    span_free(p);
}

/* What a thread did, for the test to look at after its end. */
struct life {
    struct arena *arena;
    void *left[MANY];
    void *given[MANY];
};

static void *live(void *argument)
{
    struct life *life = argument;
    void *p[MANY];
    for (size_t request = 10; request < CACHE_GROSS_MAX; request *= 3) {
        allocate_all(p, MANY, request);
        free_all(p, MANY);
    }
    life->arena = own_cache->arena;
    allocate_all(life->left, MANY, 100);
    free_all(life->given, MANY); /* the last ones are delayed when the thread ends */
    assert_true(delayed_blocks() > 0);
    return NULL;
}

static void threads_bring_everything_home(void **state)
{
    (void)state;
    struct life life;
    pthread_t thread;
    allocate_all(life.given, MANY, 100);
    struct arena *mine = own_cache->arena;
    size_t used = used_blocks(&mine->heap);
    assert_int_equal(pthread_create(&thread, NULL, live, &life), 0);
    pthread_join(thread, NULL);
    assert_ptr_not_equal(life.arena, mine); /* the heap with the fewest threads */
    assert_int_equal(life.arena->threads, 0);
    assert_int_equal(mine->threads, 1);
    arena_settle(mine);
    assert_int_equal(used_blocks(&life.arena->heap), MANY);
    assert_int_equal(used_blocks(&mine->heap), used - MANY);
    free_all(life.left, MANY);
}

static struct heap_use {
    struct arena *arena;
    pthread_barrier_t all_are_here;
} uses[BUILD_ARENAS];

static void *take_a_heap(void *argument)
{
    struct heap_use *use = argument;
    span_free(span_malloc(100));
    use->arena = own_cache->arena;
    pthread_barrier_wait(&uses[0].all_are_here);
    return NULL;
}

/* The first thread, which has a heap already, and as many others as make a multiple of the heaps in
   use: each heap has as many threads then, for each of which it may cache empty spans, and those
   that are not in use have none. */
static void threads_share_out_the_heaps(void **state)
{
    (void)state;
    pthread_t threads[BUILD_ARENAS];
    unsigned heaps = arenas_in_use();
    unsigned count = BUILD_ARENAS / heaps * heaps;
    unsigned users[BUILD_ARENAS] = {[0] = 1};
    assert_true(heaps >= 1 && heaps <= BUILD_ARENAS);
    pthread_barrier_init(&uses[0].all_are_here, NULL, count);
    for (unsigned i = 1; i < count; i++)
        pthread_create(&threads[i], NULL, take_a_heap, &uses[i]);
    pthread_barrier_wait(&uses[0].all_are_here);
    for (unsigned i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 1; i < count; i++)
        users[uses[i].arena - arenas]++;
    for (unsigned i = 0; i < BUILD_ARENAS; i++) {
        assert_int_equal(arenas[i].threads, i == 0);
        assert_int_equal(users[i], i < heaps ? count / heaps : 0);
        assert_true(arenas[i].heap.spans.cache_limit >= users[i] * SPAN_CACHE_FIRST);
    }
}

static void heaps_are_two_for_each_processor(void **state)
{
    (void)state;
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    unsigned wanted = 2 * (unsigned)CPU_COUNT(&set);
    assert_int_equal(arenas_in_use(), wanted < BUILD_ARENAS ? wanted : BUILD_ARENAS);
}

static void *hold_lock(void *argument)
{
    struct heap_use *use = argument;
    bool locked = arena_lock(use->arena);
    pthread_barrier_wait(&use->all_are_here);
    pthread_barrier_wait(&use->all_are_here);
    arena_unlock(use->arena, locked);
    return NULL;
}

/* If it stayed where it is, it would wait for a lock that is given up only afterwards. */
static void who_often_waits_joins_another_heap(void **state)
{
    (void)state;
    pthread_t thread;
    span_free(span_malloc(100));
    struct arena *mine = own_cache->arena;
    struct heap_use use = {.arena = mine};
    mine->threads += 2; /* as if others had joined it */
    own_cache->waits = CACHE_PATIENCE - 1;
    pthread_barrier_init(&use.all_are_here, NULL, 2);
    pthread_create(&thread, NULL, hold_lock, &use);
    pthread_barrier_wait(&use.all_are_here);
    void *p = span_malloc(CACHE_REQUEST_MAX);
    assert_ptr_not_equal(own_cache->arena, mine);
    assert_ptr_equal(arena_of_payload(p), own_cache->arena);
    assert_int_equal(own_cache->arena->threads, 1);
    assert_int_equal(mine->threads, 2);
    pthread_barrier_wait(&use.all_are_here);
    pthread_join(thread, NULL);
    mine->threads -= 2;
    assert_ptr_equal(arena_move(own_cache->arena), own_cache->arena); /* nobody is alone there */
    span_free(p);
}

static void *live_without_memory(void *p)
{
    fake_os.maps_fail = true;
    while (span_malloc(100)) /* what the heap has left */
        continue;
    int error = errno;
    span_free(p);
    fake_os.maps_fail = false;
    return error == ENOMEM ? NULL : p;
}

static void threads_without_memory_for_a_cache(void **state)
{
    (void)state;
    void *p = span_malloc(100);
    void *failed;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, live_without_memory, p), 0);
    pthread_join(thread, &failed);
    assert_null(failed);
}

#define CACHED_TEST(name) cmocka_unit_test_teardown(name, sound)

int main(void)
{
    fake_os_reset();
    const struct CMUnitTest tests[] = {
        CACHED_TEST(what_is_freed_last_comes_first),
        CACHED_TEST(blocks_serve_the_sizes_of_their_list),
        CACHED_TEST(frees_in_a_row_are_delayed),
        CACHED_TEST(double_frees_among_delayed_ones_are_found),
        CACHED_TEST(inner_payloads_are_freed_once),
        CACHED_TEST(inner_payloads_are_like_any_other),
        CACHED_TEST(larger_alignments_are_not_inner),
        CACHED_TEST(headers_are_looked_at),
        CACHED_TEST(links_are_looked_at),
        CACHED_TEST(inner_payloads_shrink),
        CACHED_TEST(inner_payloads_give_all_of_their_block_back),
        CACHED_TEST(a_block_shrinks_when_less_than_three_quarters_are_used),
        CACHED_TEST(growing_buffers_are_copied_a_few_times),
        CACHED_TEST(growing_does_with_little_memory),
        CACHED_TEST(growing_does_without_an_eighth_more),
        CACHED_TEST(growing_beyond_all_bounds_is_refused),
        CACHED_TEST(threads_bring_everything_home),
        CACHED_TEST(threads_share_out_the_heaps),
        CACHED_TEST(heaps_are_two_for_each_processor),
        CACHED_TEST(who_often_waits_joins_another_heap),
        CACHED_TEST(threads_without_memory_for_a_cache),
    };
    return cmocka_run_group_tests_name("cached", tests, NULL, NULL);
}
