/*
 * Thread caches, which only the tuned build has: which class serves which request, refilling, the
 * budget, and the way home. Threads and what they hand each other are test_threads.c's business.
 */
#include "allocator/check.h"
#include "allocator/thread_cache.h"
#include "cmocka_all.h"
#include "fake_os.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static struct arena *const arena = &arenas[0];

/* Empty heaps behind all arenas. */
static int fresh_arenas(void **state)
{
    (void)state;
    for (int i = 0; i < BUILD_ARENAS; i++)
        memset(&arenas[i].heap, 0, sizeof arenas[i].heap);
    fake_os_reset();
    return 0;
}

static int sound_arena(void **state)
{
    (void)state;
    return heap_check(&arena->heap, NULL) ? -1 : 0;
}

static struct thread_cache *new_cache(void)
{
    struct thread_cache *cache = cache_new(arena);
    assert_non_null(cache);
    return cache;
}

/* Blocks in use by the heap's count. */
static size_t used_blocks(void)
{
    size_t used = 0;
    for (struct span *span = arena->heap.spans.first; span; span = span->next)
        used += span->blkcount;
    return used;
}

/* From cache.c; the numbers are decisions, not consequences. */
enum {
    LIMIT_MAX = 1024,
    CLASS_SHARE = 4,
    BUDGET_SHARE = 8,
    BUDGET_MIN = 128 << 10,
    BUDGET_MIN_THREADED = 1 << 20,
    FEW_THREADS = 8,
    HEAVY_FLUSHES = 16,
    HEAVY_MAX = 16 << 10,
};

/* Bytes of blocks that a cache may hold while the process has one thread. */
static size_t cache_budget(void)
{
    size_t share = arena->heap.spans.mapped / BUDGET_SHARE;
    return share > BUDGET_MIN ? share : BUDGET_MIN;
}

/* Maps spans until a cache may hold that many bytes. */
static void let_heap_grow(size_t budget)
{
    while (cache_budget() < budget)
        assert_non_null(heap_allocate(&arena->heap, 1 << 20));
}

static unsigned index_of(const struct thread_cache *cache, const struct cache_class *class)
{
    assert_true(class >= cache->classes && class < cache->classes + CACHE_CLASSES);
    return (unsigned)(class - cache->classes);
}

static void classes_are_ordered_by_size(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    unsigned last = index_of(cache, cache_class_of(cache, BLOCK_MIN));
    for (size_t gross = BLOCK_MIN; gross <= CACHE_GROSS_MAX; gross += ALIGNMENT) {
        unsigned class = index_of(cache, cache_class_of(cache, gross));
        assert_true(class == last || class == last + 1);
        last = class;
    }
    cache_delete(cache);
}

static void any_block_of_a_class_serves_any_request_for_it(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    size_t least[CACHE_CLASSES] = {0}; /* gross sizes that may be put into the class */
    for (size_t gross = CACHE_GROSS_MAX; gross >= BLOCK_MIN; gross -= ALIGNMENT)
        least[index_of(cache, cache_class_of(cache, gross))] = gross;
    for (size_t request = 0; request <= CACHE_REQUEST_MAX; request++) {
        struct cache_class *class = cache_class_for(cache, request);
        size_t gross = block_gross(request);
        assert_true(least[index_of(cache, class)] >= gross);
        assert_true(class->gross >= gross && class->gross <= least[index_of(cache, class)]);
        /* And little is given away: an eighth and a granule. */
        assert_true(class->gross <= gross + gross / 8 + ALIGNMENT);
    }
    cache_delete(cache);
}

static void blocks_from_the_heap_are_what_their_class_promises(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    for (size_t request = 0; request <= CACHE_REQUEST_MAX; request = request * 3 / 2 + 1) {
        struct cache_class *class = cache_class_for(cache, request);
        if (class->count)
            continue;
        void *p = cache_refill(cache, class);
        assert_non_null(p);
        assert_true(heap_usable_size(p) >= request);
        assert_true(class->count <= class->limit);
        for (unsigned i = 0; i < class->count; i++) {
            struct block *block = block_from_payload(class->payloads[i]);
            assert_int_equal(block_magic(block), BLOCK_MAGIC_CACHED);
            assert_true(block_size(block) >= block_gross(request));
        }
        heap_free(&arena->heap, p);
        assert_int_equal(heap_check(&arena->heap, NULL), 0);
    }
    cache_delete(cache);
}

static void nothing_is_left_when_a_cache_goes(void **state)
{
    (void)state;
    let_heap_grow(1 << 20);
    size_t used = used_blocks();
    struct thread_cache *cache = new_cache();
    for (size_t request = 0; request <= CACHE_REQUEST_MAX; request += 500) {
        struct cache_class *class = cache_class_for(cache, request);
        if (!class->count)
            heap_free(&arena->heap, cache_refill(cache, class));
    }
    assert_true(used_blocks() > used + 10);
    cache_delete(cache);
    assert_int_equal(used_blocks(), used);
}

/* Frees blocks of a size into the cache, as long as it makes room; how many it holds in the end. */
static size_t fill_class(struct thread_cache *cache, size_t request, size_t blocks)
{
    struct cache_class *class = cache_class_for(cache, request);
    for (size_t i = 0; i < blocks; i++) {
        void *p = heap_allocate(&arena->heap, request);
        if (class->count == class->limit && !cache_make_room(cache, class)) {
            heap_free(&arena->heap, p);
            continue;
        }
        assert_true(class->count < class->limit);
        block_mark(block_from_payload(p), BLOCK_MAGIC_CACHED);
        class->payloads[class->count++] = p;
    }
    return class->count;
}

/* Bytes of blocks in the classes; `could`: that they have room for. */
static size_t bytes_held(const struct thread_cache *cache, size_t *could)
{
    size_t held = 0;
    *could = 0;
    for (unsigned i = 0; i < CACHE_CLASSES; i++) {
        const struct cache_class *class = &cache->classes[i];
        size_t gross = class->gross;
        assert_true(class->count <= class->limit);
        held += class->count * gross;
        *could += class->limit * gross;
    }
    return held;
}

static void a_class_is_bounded_in_number_and_bytes(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    let_heap_grow(16 << 20); /* there is room for all classes */
    for (size_t request = 16; request <= CACHE_REQUEST_MAX; request = request * 5 / 2) {
        size_t gross = cache_class_for(cache, request)->gross;
        fill_class(cache, request, 1000);
        size_t limit = cache_class_for(cache, request)->limit;
        assert_true(limit <= LIMIT_MAX && limit * gross <= cache_budget() / CLASS_SHARE);
        assert_true(limit == LIMIT_MAX || (limit + 1) * gross > cache_budget() / CLASS_SHARE);
    }
    cache_delete(cache);
}

/* Blocks of the largest size that a class has room for in a small heap. */
enum { LARGEST_AT_LEAST = BUDGET_MIN / CLASS_SHARE / CACHE_GROSS_MAX };

static void classes_of_the_largest_blocks_are_never_without_room(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    assert_int_equal(cache_budget(), BUDGET_MIN);
    assert_int_equal(fill_class(cache, CACHE_REQUEST_MAX, 10), LARGEST_AT_LEAST);
    assert_int_equal(cache->capacity, LARGEST_AT_LEAST * CACHE_GROSS_MAX);
    cache_delete(cache);
}

/* Frees blocks of all sizes into a cache; bytes that it has room for then. */
static size_t fill_cache(struct thread_cache *cache)
{
    size_t could;
    for (size_t request = 16; request <= CACHE_REQUEST_MAX; request = request * 3 / 2)
        fill_class(cache, request, 300);
    assert_true(bytes_held(cache, &could) > could / 2);
    assert_int_equal(could, cache->capacity);
    assert_int_equal(heap_check(&arena->heap, NULL), 0);
    return could;
}

static void a_cache_holds_a_share_of_its_heap(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    for (size_t budget = BUDGET_MIN; budget <= BUDGET_MIN << 4; budget *= 2) {
        let_heap_grow(budget);
        size_t could = fill_cache(cache);
        assert_true(could > cache_budget() / 2 && could <= cache_budget());
    }
    cache_delete(cache);
}

/* A thread that waits, so that the process has more than one. */
struct bystander {
    pthread_t thread;
    pthread_mutex_t end;
};

static void *wait_for_end(void *end)
{
    pthread_mutex_lock(end);
    pthread_mutex_unlock(end);
    return NULL;
}

static void bystander_begin(struct bystander *bystander)
{
    pthread_mutex_init(&bystander->end, NULL);
    pthread_mutex_lock(&bystander->end);
    assert_int_equal(pthread_create(&bystander->thread, NULL, wait_for_end, &bystander->end), 0);
}

static void bystander_end(struct bystander *bystander)
{
    pthread_mutex_unlock(&bystander->end);
    assert_int_equal(pthread_join(bystander->thread, NULL), 0);
}

static void beside_other_threads_it_holds_more_of_a_small_heap(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    struct bystander bystander;
    bystander_begin(&bystander);
    size_t could = fill_cache(cache);
    assert_true(cache_budget() < BUDGET_MIN_THREADED);
    assert_true(could > BUDGET_MIN_THREADED / 2 && could <= BUDGET_MIN_THREADED);
    cache_delete(cache);
    arenas[3].threads = FEW_THREADS * 4; /* what a few would have is shared out among more */
    cache = new_cache();
    could = fill_cache(cache);
    assert_true(could > cache_budget() / 2 && could <= BUDGET_MIN_THREADED / 4);
    cache_delete(cache);
    arenas[3].threads = 0;
    assert_int_equal(used_blocks(), 0);
    bystander_end(&bystander);
}

/* What a class of large blocks is given at first. */
#define LIST_OF_LARGE ((size_t)4 * CACHE_GROSS_MAX)

/* Makes as many blocks as there are rounds for, which overflow the class together; the blocks that
   it holds then. */
static size_t overflow_class(struct thread_cache *cache, size_t request, unsigned rounds)
{
    size_t held = 0;
    for (unsigned i = 0; i < rounds; i++)
        held = fill_class(cache, request, 2 * LIMIT_MAX);
    return held;
}

/* Where threads share arenas; with a single one the way home is short. */
static void a_class_that_overflows_often_has_all_of_the_budget(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    struct bystander bystander;
    size_t held = overflow_class(cache, 100, HEAVY_FLUSHES);
    size_t gross = cache_class_for(cache, 100)->gross;
    assert_true(held <= LIMIT_MAX && held * gross <= BUDGET_MIN / CLASS_SHARE);
    bystander_begin(&bystander);
    assert_true(fill_class(cache, 100, 2 * LIMIT_MAX) <= LIMIT_MAX);
    held = overflow_class(cache, 100, HEAVY_FLUSHES + 16);
    assert_true(held > LIMIT_MAX && held <= HEAVY_MAX);
    assert_true(cache->capacity <= BUDGET_MIN_THREADED);
    assert_true(BUDGET_MIN_THREADED - cache->capacity < BUDGET_MIN_THREADED / 8);
    assert_true(cache_class_for(cache, 100)->limit * gross > BUDGET_MIN_THREADED / CLASS_SHARE);
    cache_delete(cache);
    assert_int_equal(used_blocks(), 0);
    bystander_end(&bystander);
}

/* Uses up the budget of a cache with classes of other large blocks. */
static void fill_with_large(struct thread_cache *cache)
{
    let_heap_grow(1 << 20);
    for (size_t gross = 2048; cache_budget() - cache->capacity >= LIST_OF_LARGE; gross += 1024)
        assert_true(fill_class(cache, gross - BLOCK_HEADER, 200) > 0 && gross < CACHE_GROSS_MAX);
}

/* What was in use once does not starve what is in use now. */
static void idle_classes_give_up_capacity(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    size_t could;
    fill_with_large(cache);
    size_t held = bytes_held(cache, &could);
    fill_class(cache, 100, CACHE_CLASSES * LIMIT_MAX); /* all classes are asked again and again */
    const struct cache_class *class = cache_class_for(cache, 100);
    assert_int_equal(class->limit, LIMIT_MAX);
    size_t gross = class->gross, lately = class->count * gross;
    assert_true(bytes_held(cache, &could) - lately < held); /* for large blocks went home */
    assert_int_equal(could, cache->capacity);
    assert_true(could <= cache_budget());
    assert_int_equal(heap_check(&arena->heap, NULL), 0);
    cache_delete(cache);
}

static void classes_in_use_keep_their_capacity_for_a_round(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    struct cache_class *class = cache_class_for(cache, 7900);
    size_t could;
    fill_with_large(cache);
    memset(cache->is_busy, true, sizeof cache->is_busy);
    size_t capacity = cache->capacity;
    size_t held = bytes_held(cache, &could);
    for (unsigned i = 0; i < CACHE_CLASSES; i++)
        assert_int_equal(fill_class(cache, 7900, 1), 0);
    assert_int_equal(cache->capacity, capacity);
    assert_int_equal(bytes_held(cache, &could), held);
    assert_true(fill_class(cache, 7900, CACHE_CLASSES) > 0);
    assert_true(class->limit >= 4);
    bytes_held(cache, &could);
    assert_int_equal(could, cache->capacity);
    assert_true(could <= cache_budget());
    cache_delete(cache);
}

static void refills_are_about_a_page(void **state)
{
    (void)state;
    for (size_t request = 0; request <= CACHE_REQUEST_MAX; request = request * 2 + 24) {
        struct thread_cache *cache = new_cache();
        struct cache_class *class = cache_class_for(cache, request);
        size_t used = used_blocks();
        for (int i = 0; i < 6; i++) { /* while the class grows */
            heap_free(&arena->heap, cache_refill(cache, class));
            assert_true(class->count * class->gross <= 4096 && class->count < 64);
            assert_true(class->count > 0 || 2 * class->gross > 4096);
            assert_true(class->count * 2 <= class->limit ||
                        class->count == 0); /* room to free some */
            assert_int_equal(used_blocks(), used + class->count + (class->payloads != NULL));
            while (class->count)
                heap_free(&arena->heap, cache_take(cache, class));
        }
        cache_delete(cache);
    }
}

/* A full class gives up the half that was freed first, or a block more if their number is odd. */
static void a_full_class_keeps_what_was_freed_last(void **state)
{
    (void)state;
    let_heap_grow(1 << 20);
    struct thread_cache *cache = new_cache();
    for (size_t request = 100; request <= 3500; request += 3400) {
        struct cache_class *class = cache_class_for(cache, request);
        fill_class(cache, request, 2000);
        while (class->count < class->limit)
            fill_class(cache, request, 1);
        void *kept[LIMIT_MAX];
        size_t count = class->count;
        assert_int_equal(count % 2, request == 3500);
        memcpy(kept, class->payloads, count * sizeof kept[0]);
        assert_true(cache_make_room(cache, class));
        assert_int_equal(class->count, count / 2);
        assert_memory_equal(class->payloads, kept + count - count / 2, count / 2 * sizeof kept[0]);
        assert_int_equal(heap_check(&arena->heap, NULL), 0);
    }
    cache_delete(cache);
}

static void what_is_put_last_is_taken_first(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    struct cache_class *class = cache_class_for(cache, 100);
    assert_true(cache_make_room(cache, class));
    struct block *first = block_from_payload(heap_allocate(&arena->heap, 100));
    struct block *second = block_from_payload(heap_allocate(&arena->heap, 100));
    cache_put(cache, class, first);
    cache_put(cache, class, second);
    assert_int_equal(block_magic(second), BLOCK_MAGIC_CACHED);
    assert_int_equal(cache->frees, 2);
    assert_ptr_equal(cache_take(cache, class), block_payload(second));
    assert_int_equal(block_magic(second), BLOCK_MAGIC_USED);
    assert_int_equal(cache->frees, 0);
    assert_ptr_equal(cache_take(cache, class), block_payload(first));
    heap_free(&arena->heap, block_payload(first));
    heap_free(&arena->heap, block_payload(second));
    cache_delete(cache);
}

static void blocks_go_home_each_to_its_heap(void **state)
{
    (void)state;
    enum { HOMES = 3, BLOCKS = 90 };
    struct thread_cache *cache = new_cache();
    struct cache_class *class = cache_class_for(cache, 500);
    for (int i = 0; i < BLOCKS; i++) {
        void *p = heap_allocate(&arenas[i % HOMES].heap, 500);
        if (class->count == class->limit)
            assert_true(cache_make_room(cache, class));
        cache_put(cache, class, block_from_payload(p));
    }
    cache_delete(cache);
    for (int i = 0; i < HOMES; i++) {
        struct heap *home = &arenas[i].heap;
        assert_int_equal(heap_check(home, NULL), 0);
        assert_int_equal(home->spans.count, 1);
        assert_int_equal(home->spans.first->blkcount, 0);
    }
}

/* A cache of another arena with blocks of this one, which sends them home. */
static void send_home(size_t request, size_t blocks)
{
    struct thread_cache *other = cache_new(&arenas[1]);
    struct cache_class *class = cache_class_for(other, request);
    assert_non_null(other);
    for (size_t i = 0; i < blocks; i++) {
        void *p = heap_allocate(&arena->heap, request);
        if (class->count == class->limit)
            assert_true(cache_make_room(other, class));
        cache_put(other, class, block_from_payload(p));
    }
    cache_delete(other);
}

static void blocks_sent_home_are_given_out_again(void **state)
{
    (void)state;
    enum { BLOCKS = 40 };
    struct thread_cache *cache = new_cache();
    struct cache_class *class = cache_class_for(cache, 500);
    arena->threads = 1;
    send_home(500, BLOCKS);
    assert_non_null(arena->sent_home);
    size_t taken = arena->heap.taken;
    for (int i = 0; i < BLOCKS; i++) {
        void *p = class->count ? cache_take(cache, class) : cache_refill(cache, class);
        assert_int_equal(block_magic(block_from_payload(p)), BLOCK_MAGIC_USED);
        assert_int_equal(block_size(block_from_payload(p)), block_gross(500));
    }
    assert_null(arena->sent_home);
    assert_int_equal(class->count, 0);
    /* None of them is new: what is more are the arrays. */
    assert_true(arena->heap.taken <= taken + 1);
    arena->threads = 0;
}

static void what_no_thread_takes_is_merged(void **state)
{
    (void)state;
    arena->threads = 1;
    send_home(500, 100);
    assert_int_equal(arena->heap.taken, 100);
    assert_int_equal(arena->sent_bytes, 100 * block_gross(500));
    arena_leave(arena); /* the last one settles */
    assert_null(arena->sent_home);
    assert_int_equal(arena->heap.taken, 0);
    send_home(500, 100); /* and for nobody nothing waits */
    assert_null(arena->sent_home);
    assert_int_equal(arena->heap.taken, 0);
    arena->threads = 1;
    size_t many = ARENA_SENT_MAX / block_gross(4000);
    send_home(4000, many + 200);
    assert_true(arena->sent_bytes <= ARENA_SENT_MAX);
    assert_true(arena->heap.taken <= many + 1);
    arena->threads = 0;
    send_home(16, 1);
    assert_int_equal(arena->heap.taken, 0);
}

static void without_memory_caches_do_without(void **state)
{
    (void)state;
    struct thread_cache *cache = new_cache();
    struct cache_class *class = cache_class_for(cache, 3000);
    while (heap_allocate(&arena->heap, 3000) && arena->heap.spans.mapped < 1 << 20)
        continue;
    fake_os.maps_fail = true;
    while (heap_allocate(&arena->heap, 2900))
        continue;
    errno = 0;
    void *p = cache_refill(cache, class);
    assert_int_equal(errno, p ? 0 : ENOMEM);
    while (heap_allocate(&arena->heap, 0))
        continue;
    assert_null(cache_new(arena));
    class = cache_class_for(cache, 1000);
    assert_null(cache_refill(cache, class));
    assert_int_equal(errno, ENOMEM);
    errno = EDOM;
    assert_false(cache_make_room(cache, class)); /* not even for an array of payloads */
    assert_int_equal(errno, EDOM);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_arenas, sound_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(classes_are_ordered_by_size),
        CACHE_TEST(any_block_of_a_class_serves_any_request_for_it),
        CACHE_TEST(blocks_from_the_heap_are_what_their_class_promises),
        CACHE_TEST(nothing_is_left_when_a_cache_goes),
        CACHE_TEST(a_class_is_bounded_in_number_and_bytes),
        CACHE_TEST(classes_of_the_largest_blocks_are_never_without_room),
        CACHE_TEST(a_cache_holds_a_share_of_its_heap),
        CACHE_TEST(idle_classes_give_up_capacity),
        CACHE_TEST(classes_in_use_keep_their_capacity_for_a_round),
        CACHE_TEST(refills_are_about_a_page),
        CACHE_TEST(a_full_class_keeps_what_was_freed_last),
        CACHE_TEST(what_is_put_last_is_taken_first),
        CACHE_TEST(blocks_go_home_each_to_its_heap),
        CACHE_TEST(blocks_sent_home_are_given_out_again),
        CACHE_TEST(what_no_thread_takes_is_merged),
        CACHE_TEST(without_memory_caches_do_without),
        /* Last: a process that had a second thread does not count as single threaded again. */
        CACHE_TEST(a_class_that_overflows_often_has_all_of_the_budget),
        CACHE_TEST(beside_other_threads_it_holds_more_of_a_small_heap),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
