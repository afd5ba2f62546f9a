/*
 * Fronts, which only the tuned build has: which list serves which request, refilling, room, and the
 * way home. Threads and what they hand each other are test_threads.c's business.
 */
#include "allocator/check.h"
#include "allocator/front.h"
#include "cmocka_all.h"
#include "fake_os.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static struct guard *const guard = &guards[0];

/* Empty heaps behind all guards. */
static int fresh_guards(void **state)
{
    (void)state;
    for (int i = 0; i < BUILD_HEAPS; i++)
        memset(&guards[i].heap, 0, sizeof guards[i].heap);
    fake_os_reset();
    return 0;
}

static int sound_guard(void **state)
{
    (void)state;
    return heap_check(&guard->heap, NULL) ? -1 : 0;
}

static struct front *new_front(void)
{
    struct front *front = front_new(guard);
    assert_non_null(front);
    return front;
}

/* Blocks in use by the heap's count. */
static size_t used_blocks(void)
{
    size_t used = 0;
    for (struct span *span = guard->heap.spans.first; span; span = span->next)
        used += span->blkcount;
    return used;
}

/* From front.c; the numbers are decisions, not consequences. */
enum {
    LIMIT_MAX = 1024,
    LIST_SHARE = 4,
    ROOM_SHARE = 8,
    ROOM_MIN = 128 << 10,
    ROOM_MIN_THREADED = 1 << 20,
};

/* Bytes of blocks that a front may hold while the process has one thread. */
static size_t room_max(void)
{
    size_t share = guard->heap.spans.mapped / ROOM_SHARE;
    return share > ROOM_MIN ? share : ROOM_MIN;
}

/* Maps spans until a front may hold that many bytes. */
static void let_heap_grow(size_t room)
{
    while (room_max() < room)
        assert_non_null(heap_allocate(&guard->heap, 1 << 20));
}

static unsigned index_of(const struct front *front, const struct front_list *list)
{
    assert_true(list >= front->lists && list < front->lists + FRONT_LISTS);
    return (unsigned)(list - front->lists);
}

static void lists_are_ordered_by_size(void **state)
{
    (void)state;
    struct front *front = new_front();
    unsigned last = index_of(front, front_list_of(front, BLOCK_MIN));
    for (size_t gross = BLOCK_MIN; gross <= FRONT_GROSS_MAX; gross += ALIGNMENT) {
        unsigned list = index_of(front, front_list_of(front, gross));
        assert_true(list == last || list == last + 1);
        last = list;
    }
    front_delete(front);
}

static void any_block_of_a_list_serves_any_request_for_it(void **state)
{
    (void)state;
    struct front *front = new_front();
    size_t least[FRONT_LISTS] = {0}; /* gross sizes that may be put into the list */
    for (size_t gross = FRONT_GROSS_MAX; gross >= BLOCK_MIN; gross -= ALIGNMENT)
        least[index_of(front, front_list_of(front, gross))] = gross;
    for (size_t request = 0; request <= FRONT_REQUEST_MAX; request++) {
        struct front_list *list = front_list_for(front, request);
        size_t gross = block_gross(request);
        assert_true(least[index_of(front, list)] >= gross);
        assert_true(list->gross >= gross && list->gross <= least[index_of(front, list)]);
        /* And little is given away: an eighth and a granule. */
        assert_true(list->gross <= gross + gross / 8 + ALIGNMENT);
    }
    front_delete(front);
}

static void blocks_from_the_heap_are_what_their_list_promises(void **state)
{
    (void)state;
    struct front *front = new_front();
    for (size_t request = 0; request <= FRONT_REQUEST_MAX; request = request * 3 / 2 + 1) {
        struct front_list *list = front_list_for(front, request);
        if (list->count)
            continue;
        void *p = front_refill(front, list);
        assert_non_null(p);
        assert_true(heap_usable_size(p, "test") >= request);
        assert_true(list->count <= list->limit);
        for (unsigned i = 0; i < list->count; i++) {
            struct block *block = block_from_payload(list->payloads[i]);
            assert_int_equal(block_magic(block), BLOCK_MAGIC_FRONT);
            assert_true(block_size(block) >= block_gross(request));
        }
        heap_free(&guard->heap, p, "free");
        assert_int_equal(heap_check(&guard->heap, NULL), 0);
    }
    front_delete(front);
}

static void nothing_is_left_when_a_front_goes(void **state)
{
    (void)state;
    let_heap_grow(1 << 20);
    size_t used = used_blocks();
    struct front *front = new_front();
    for (size_t request = 0; request <= FRONT_REQUEST_MAX; request += 500) {
        struct front_list *list = front_list_for(front, request);
        if (!list->count)
            heap_free(&guard->heap, front_refill(front, list), "free");
    }
    assert_true(used_blocks() > used + 10);
    front_delete(front);
    assert_int_equal(used_blocks(), used);
}

/* Frees blocks of a size into the front, as long as it makes room; how many it holds in the end. */
static size_t fill_list(struct front *front, size_t request, size_t blocks)
{
    struct front_list *list = front_list_for(front, request);
    for (size_t i = 0; i < blocks; i++) {
        void *p = heap_allocate(&guard->heap, request);
        if (list->count == list->limit && !front_make_room(front, list)) {
            heap_free(&guard->heap, p, "free");
            continue;
        }
        assert_true(list->count < list->limit);
        block_mark(block_from_payload(p), BLOCK_MAGIC_FRONT);
        list->payloads[list->count++] = p;
    }
    return list->count;
}

/* Bytes of blocks in the lists; `could`: that they have room for. */
static size_t bytes_held(const struct front *front, size_t *could)
{
    size_t held = 0;
    *could = 0;
    for (unsigned i = 0; i < FRONT_LISTS; i++) {
        const struct front_list *list = &front->lists[i];
        assert_true(list->count <= list->limit);
        held += list->count * (size_t)list->gross;
        *could += list->limit * (size_t)list->gross;
    }
    return held;
}

static void a_list_is_bounded_in_number_and_bytes(void **state)
{
    (void)state;
    struct front *front = new_front();
    let_heap_grow(16 << 20); /* there is room for all lists */
    for (size_t request = 16; request <= FRONT_REQUEST_MAX; request = request * 5 / 2) {
        size_t gross = front_list_for(front, request)->gross;
        fill_list(front, request, 1000);
        size_t limit = front_list_for(front, request)->limit;
        assert_true(limit <= LIMIT_MAX && limit * gross <= room_max() / LIST_SHARE);
        assert_true(limit == LIMIT_MAX || (limit + 1) * gross > room_max() / LIST_SHARE);
    }
    front_delete(front);
}

/* Blocks of the largest size that a list has room for in a small heap. */
enum { LARGEST_AT_LEAST = ROOM_MIN / LIST_SHARE / FRONT_GROSS_MAX };

static void lists_of_the_largest_blocks_are_never_without_room(void **state)
{
    (void)state;
    struct front *front = new_front();
    assert_int_equal(room_max(), ROOM_MIN);
    assert_int_equal(fill_list(front, FRONT_REQUEST_MAX, 10), LARGEST_AT_LEAST);
    assert_int_equal(front->room, LARGEST_AT_LEAST * FRONT_GROSS_MAX);
    front_delete(front);
}

/* Frees blocks of all sizes into a front; bytes that it has room for then. */
static size_t fill_front(struct front *front)
{
    size_t could;
    for (size_t request = 16; request <= FRONT_REQUEST_MAX; request = request * 3 / 2)
        fill_list(front, request, 300);
    assert_true(bytes_held(front, &could) > could / 2);
    assert_int_equal(could, front->room);
    assert_int_equal(heap_check(&guard->heap, NULL), 0);
    return could;
}

static void a_front_holds_a_share_of_its_heap(void **state)
{
    (void)state;
    struct front *front = new_front();
    for (size_t room = ROOM_MIN; room <= ROOM_MIN << 4; room *= 2) {
        let_heap_grow(room);
        size_t could = fill_front(front);
        assert_true(could > room_max() / 2 && could <= room_max());
    }
    front_delete(front);
}

static void *wait_for_end(void *end)
{
    pthread_mutex_lock(end);
    pthread_mutex_unlock(end);
    return NULL;
}

static void beside_other_threads_it_holds_more_of_a_small_heap(void **state)
{
    (void)state;
    struct front *front = new_front();
    pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    pthread_mutex_lock(&end);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &end), 0);
    size_t could = fill_front(front);
    assert_true(room_max() < ROOM_MIN_THREADED);
    assert_true(could > ROOM_MIN_THREADED / 2 && could <= ROOM_MIN_THREADED);
    front_delete(front);
    assert_int_equal(used_blocks(), 0);
    pthread_mutex_unlock(&end);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* What a list of large blocks is given at first. */
#define LIST_OF_LARGE ((size_t)4 * FRONT_GROSS_MAX)

/* Uses up the room of a front with lists of other large blocks. */
static void fill_with_large(struct front *front)
{
    let_heap_grow(1 << 20);
    for (size_t gross = 2048; room_max() - front->room >= LIST_OF_LARGE; gross += 1024)
        assert_true(fill_list(front, gross - BLOCK_HEADER, 200) > 0 && gross < FRONT_GROSS_MAX);
}

/* What was in use once does not starve what is in use now. */
static void idle_lists_give_up_their_room(void **state)
{
    (void)state;
    struct front *front = new_front();
    size_t could;
    fill_with_large(front);
    size_t held = bytes_held(front, &could);
    fill_list(front, 100, FRONT_LISTS * LIMIT_MAX); /* the hand goes round and round */
    const struct front_list *list = front_list_for(front, 100);
    assert_int_equal(list->limit, LIMIT_MAX);
    size_t lately = list->count * (size_t)list->gross;
    assert_true(bytes_held(front, &could) - lately < held); /* for large blocks went home */
    assert_int_equal(could, front->room);
    assert_true(could <= room_max());
    assert_int_equal(heap_check(&guard->heap, NULL), 0);
    front_delete(front);
}

static void lists_in_use_keep_their_room_for_a_round(void **state)
{
    (void)state;
    struct front *front = new_front();
    struct front_list *list = front_list_for(front, 7900);
    size_t could;
    fill_with_large(front);
    memset(front->is_busy, true, sizeof front->is_busy);
    size_t room = front->room;
    size_t held = bytes_held(front, &could);
    for (unsigned i = 0; i < FRONT_LISTS; i++)
        assert_int_equal(fill_list(front, 7900, 1), 0);
    assert_int_equal(front->room, room);
    assert_int_equal(bytes_held(front, &could), held);
    assert_true(fill_list(front, 7900, FRONT_LISTS) > 0);
    assert_true(list->limit >= 4);
    bytes_held(front, &could);
    assert_int_equal(could, front->room);
    assert_true(could <= room_max());
    front_delete(front);
}

static void refills_are_about_a_page(void **state)
{
    (void)state;
    for (size_t request = 0; request <= FRONT_REQUEST_MAX; request = request * 2 + 24) {
        struct front *front = new_front();
        struct front_list *list = front_list_for(front, request);
        size_t used = used_blocks();
        for (int i = 0; i < 6; i++) { /* while the list grows */
            heap_free(&guard->heap, front_refill(front, list), "free");
            assert_true(list->count * list->gross <= 4096 && list->count < 64);
            assert_true(list->count > 0 || 2 * list->gross > 4096);
            assert_true(list->count * 2 <= list->limit || list->count == 0); /* room to free some */
            assert_int_equal(used_blocks(), used + list->count + (list->payloads != NULL));
            while (list->count)
                heap_free(&guard->heap, front_take(front, list), "free");
        }
        front_delete(front);
    }
}

/* A full list gives up the half that was freed first, or a block more if their number is odd. */
static void a_full_list_keeps_what_was_freed_last(void **state)
{
    (void)state;
    let_heap_grow(1 << 20);
    struct front *front = new_front();
    for (size_t request = 100; request <= 3500; request += 3400) {
        struct front_list *list = front_list_for(front, request);
        fill_list(front, request, 2000);
        while (list->count < list->limit)
            fill_list(front, request, 1);
        void *kept[LIMIT_MAX];
        size_t count = list->count;
        assert_int_equal(count % 2, request == 3500);
        memcpy(kept, list->payloads, count * sizeof kept[0]);
        assert_true(front_make_room(front, list));
        assert_int_equal(list->count, count / 2);
        assert_memory_equal(list->payloads, kept + count - count / 2, count / 2 * sizeof kept[0]);
        assert_int_equal(heap_check(&guard->heap, NULL), 0);
    }
    front_delete(front);
}

static void what_is_put_last_is_taken_first(void **state)
{
    (void)state;
    struct front *front = new_front();
    struct front_list *list = front_list_for(front, 100);
    assert_true(front_make_room(front, list));
    struct block *first = block_from_payload(heap_allocate(&guard->heap, 100));
    struct block *second = block_from_payload(heap_allocate(&guard->heap, 100));
    front_put(front, list, first);
    front_put(front, list, second);
    assert_int_equal(block_magic(second), BLOCK_MAGIC_FRONT);
    assert_int_equal(front->frees, 2);
    assert_ptr_equal(front_take(front, list), block_payload(second));
    assert_int_equal(block_magic(second), BLOCK_MAGIC_USED);
    assert_int_equal(front->frees, 0);
    assert_ptr_equal(front_take(front, list), block_payload(first));
    heap_free(&guard->heap, block_payload(first), "free");
    heap_free(&guard->heap, block_payload(second), "free");
    front_delete(front);
}

static void blocks_go_home_each_to_its_heap(void **state)
{
    (void)state;
    enum { HOMES = 3, BLOCKS = 90 };
    struct front *front = new_front();
    struct front_list *list = front_list_for(front, 500);
    for (int i = 0; i < BLOCKS; i++) {
        void *p = heap_allocate(&guards[i % HOMES].heap, 500);
        if (list->count == list->limit)
            assert_true(front_make_room(front, list));
        front_put(front, list, block_from_payload(p));
    }
    front_delete(front);
    for (int i = 0; i < HOMES; i++) {
        struct heap *home = &guards[i].heap;
        assert_int_equal(heap_check(home, NULL), 0);
        assert_int_equal(home->spans.count, 1);
        assert_int_equal(home->spans.first->blkcount, 0);
    }
}

static void without_memory_fronts_do_without(void **state)
{
    (void)state;
    struct front *front = new_front();
    struct front_list *list = front_list_for(front, 3000);
    while (heap_allocate(&guard->heap, 3000) && guard->heap.spans.mapped < 1 << 20)
        continue;
    fake_os.maps_fail = true;
    while (heap_allocate(&guard->heap, 2900))
        continue;
    errno = 0;
    void *p = front_refill(front, list);
    assert_int_equal(errno, p ? 0 : ENOMEM);
    while (heap_allocate(&guard->heap, 0))
        continue;
    assert_null(front_new(guard));
    list = front_list_for(front, 1000);
    assert_null(front_refill(front, list));
    assert_int_equal(errno, ENOMEM);
    errno = EDOM;
    assert_false(front_make_room(front, list)); /* not even for an array of payloads */
    assert_int_equal(errno, EDOM);
}

#define FRONT_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_guards, sound_guard)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(lists_are_ordered_by_size),
        FRONT_TEST(any_block_of_a_list_serves_any_request_for_it),
        FRONT_TEST(blocks_from_the_heap_are_what_their_list_promises),
        FRONT_TEST(nothing_is_left_when_a_front_goes),
        FRONT_TEST(a_list_is_bounded_in_number_and_bytes),
        FRONT_TEST(lists_of_the_largest_blocks_are_never_without_room),
        FRONT_TEST(a_front_holds_a_share_of_its_heap),
        FRONT_TEST(idle_lists_give_up_their_room),
        FRONT_TEST(lists_in_use_keep_their_room_for_a_round),
        FRONT_TEST(refills_are_about_a_page),
        FRONT_TEST(a_full_list_keeps_what_was_freed_last),
        FRONT_TEST(what_is_put_last_is_taken_first),
        FRONT_TEST(blocks_go_home_each_to_its_heap),
        FRONT_TEST(without_memory_fronts_do_without),
        /* Last: a process that had a second thread does not count as single threaded again. */
        FRONT_TEST(beside_other_threads_it_holds_more_of_a_small_heap),
    };
    return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
