/* Refilling, flushing and the size of fronts: see front.h. */
#include "front.h"

#include <errno.h>
#include <string.h>

enum {
    FRONT_LIMIT_FIRST = 4,                 /* blocks in a list that was used for the first time */
    FRONT_LIMIT_MAX = 1024,                /* and the most that it may hold */
    FRONT_LIST_SHARE = 4,                  /* what part of the front's room a list may have */
    FRONT_ROOM_SHARE = 8,                  /* what part of its heap a front may hold */
    FRONT_ROOM_MIN = 128 * 1024,           /* bytes that it may always hold */
    FRONT_ROOM_MIN_THREADED = 1024 * 1024, /* the same where threads share heaps */
    FRONT_FILL_BYTES = 4096,               /* taken from the heap at once; a page */
    FRONT_FILL_MAX = 64,                   /* blocks */
    FRONT_FLUSH_SHARE = 2,                 /* what part of a list that overflows goes home */
    FRONT_DRAIN_FROM = 4 * 1024 * 1024,    /* mapped bytes of a heap that are worth a drain */
    FRONT_LEFT_SHARE = 16, /* a drain begins when the program has so much fewer blocks than the
                              front: each of them goes home by itself then */
    FRONT_DRAIN_SHARE = 4, /* and what part of its blocks are left then: the next one is due when
                              as many have come and gone again */
};

static size_t lists_gross(unsigned index)
{
    const unsigned exact = FRONT_EXACT_MAX / ALIGNMENT;
    if (index <= exact)
        return (size_t)index * ALIGNMENT;
    unsigned above = index - exact;
    unsigned doubling = above / FRONT_LISTS_A_DOUBLING;
    size_t begin = (size_t)FRONT_EXACT_MAX << doubling;
    return begin + above % FRONT_LISTS_A_DOUBLING * (begin / FRONT_LISTS_A_DOUBLING);
}

static void front_number_units(struct front *front)
{
    uint8_t list = FRONT_EXACT_MAX / ALIGNMENT;
    for (size_t unit = FRONT_EXACT_MAX / FRONT_UNIT; unit <= FRONT_UNITS; unit++) {
        if (front->lists[list].gross < unit * FRONT_UNIT)
            list++;
        bool exact = front->lists[list].gross == unit * FRONT_UNIT;
        front->list_above[unit] = list;
        front->list_below[unit] = exact ? list : list - 1;
    }
}

struct front *front_new(struct guard *guard)
{
    bool locked = guard_lock(guard);
    struct front *front = heap_allocate_zeroed(&guard->heap, sizeof *front);
    guard_unlock(guard, locked);
    if (!front)
        return NULL;
    front->guard = guard;
    for (unsigned i = 0; i < FRONT_LISTS; i++)
        front->lists[i].gross = (uint32_t)lists_gross(i);
    front_number_units(front);
    return front;
}

/* Brings the first `count` blocks of a list home, each to its own heap. */
static void list_flush(struct front_list *list, size_t count)
{
    if (count == 0)
        return;
    size_t away = count;
    while (away) {
        struct block *block = block_from_payload(list->payloads[0]);
        struct guard *guard = guard_of_heap(block_owner(block)->heap);
        bool locked = guard_lock(guard);
        away = heap_free_run(&guard->heap, list->payloads, away, "free");
        guard_unlock(guard, locked);
    }
    list->count -= (uint16_t)count;
    memmove(list->payloads, list->payloads + count, list->count * sizeof *list->payloads);
}

static void guarded_free(struct guard *guard, void *p)
{
    bool locked = guard_lock(guard);
    heap_free(&guard->heap, p, "free");
    guard_unlock(guard, locked);
}

/* Brings all blocks home, and what the lists were written on. */
static void front_empty(struct front *front)
{
    for (unsigned i = 0; i < FRONT_LISTS; i++) {
        struct front_list *list = &front->lists[i];
        list_flush(list, list->count);
        if (list->payloads)
            guarded_free(front->guard, list->payloads);
        list->payloads = NULL;
        list->limit = 0;
    }
    front->room = 0;
}

void front_delete(struct front *front)
{
    front_empty(front);
    guarded_free(front->guard, front);
}

static size_t front_count(const struct front *front)
{
    size_t count = 0;
    for (unsigned i = 0; i < FRONT_LISTS; i++)
        count += front->lists[i].count;
    return count;
}

bool front_is_left_over(struct front *front)
{
    const struct heap *heap = &front->guard->heap;
    bool locked = guard_lock(front->guard);
    size_t taken = heap->taken;
    bool fell = taken <= heap->taken_peak / FRONT_DRAIN_SHARE;
    bool worth = heap->spans.mapped >= FRONT_DRAIN_FROM;
    guard_unlock(front->guard, locked);
    if (!fell || !worth)
        return false;
    size_t count = front_count(front);
    return taken <= count + count / FRONT_LEFT_SHARE + FRONT_LOOK;
}

void front_drain(struct front *front)
{
    struct guard *guard = front->guard;
    front_empty(front);
    front->is_draining = true;
    front->frees = 0; /* nothing is delayed now, and frees that go home are not counted */
    bool locked = guard_lock(guard);
    guard->heap.taken_peak = guard->heap.taken;
    guard_unlock(guard, locked);
}

/*
 * Bytes of blocks that the front may hold. The way home costs most where locks do, and there it
 * may lead to other heaps than the one of which this is a share.
 */
static size_t room_max(struct front *front)
{
    bool locked = guard_lock(front->guard);
    size_t share = front->guard->heap.spans.mapped / FRONT_ROOM_SHARE;
    guard_unlock(front->guard, locked);
    size_t least = locked ? FRONT_ROOM_MIN_THREADED : FRONT_ROOM_MIN;
    return share < least ? least : share;
}

/* Blocks that a list may hold of a front that may hold `room` bytes. */
static size_t limit_max(const struct front_list *list, size_t room)
{
    size_t limit = room / FRONT_LIST_SHARE / list->gross;
    if (limit == 0)
        limit = 1;
    return limit < FRONT_LIMIT_MAX ? limit : FRONT_LIMIT_MAX;
}

/* Halves the limit of a list; what is beyond it goes home. The bytes of room that this leaves. */
static size_t list_shrink(struct front_list *list)
{
    uint16_t limit = list->limit / 2 < FRONT_LIMIT_FIRST ? 0 : list->limit / 2;
    size_t less = (size_t)(list->limit - limit) * list->gross;
    if (list->count > limit)
        list_flush(list, (size_t)(list->count - limit));
    list->limit = limit;
    return less;
}

/*
 * Moves the hand by one list, which gives up room if it neither ran dry nor over since the hand
 * was there last. By one only: until the hand comes round, a list in use has had its say.
 */
static void front_reclaim(struct front *front)
{
    front->hand = (front->hand + 1) % FRONT_LISTS;
    if (!front->is_busy[front->hand])
        front->room -= list_shrink(&front->lists[front->hand]);
    front->is_busy[front->hand] = false;
}

/* Doubles the limit of a list, at most to `max`; false if it stays as it is. errno is kept. */
static bool list_grow(struct front *front, struct front_list *list, size_t max)
{
    if (list->limit >= max)
        return false;
    size_t room = room_max(front);
    size_t limit = list->limit ? 2 * (size_t)list->limit : FRONT_LIMIT_FIRST;
    if (limit > max)
        limit = max;
    if (limit > limit_max(list, room))
        limit = limit_max(list, room);
    if (limit <= list->limit)
        return false;
    size_t more = (limit - list->limit) * list->gross;
    if (front->room + more > room)
        front_reclaim(front);
    if (front->room + more > room)
        return false;
    struct guard *guard = front->guard;
    int kept_errno = errno;
    bool locked = guard_lock(guard);
    void **payloads = heap_allocate(&guard->heap, limit * sizeof *payloads);
    if (payloads && list->payloads) {
        memcpy(payloads, list->payloads, list->count * sizeof *payloads);
        heap_free(&guard->heap, list->payloads, "free");
    }
    guard_unlock(guard, locked);
    errno = kept_errno;
    if (!payloads)
        return false;
    list->payloads = payloads;
    list->limit = (uint16_t)limit;
    front->room += more;
    return true;
}

static size_t fill_of(const struct front_list *list)
{
    size_t fill = FRONT_FILL_BYTES / list->gross;
    if (fill > FRONT_FILL_MAX)
        fill = FRONT_FILL_MAX;
    return fill;
}

void *front_refill(struct front *front, struct front_list *list)
{
    front->is_busy[list - front->lists] = true;
    size_t fill = fill_of(list);
    if (list->limit < 2 * fill)
        list_grow(front, list, 2 * fill);
    if (fill > list->limit / 2)
        fill = list->limit / 2;
    void *one;
    void **payloads = fill > 1 ? list->payloads : &one;
    struct guard *guard = front->guard;
    bool locked = guard_lock(guard);
    size_t count = heap_allocate_run(&guard->heap, list->gross, payloads, fill > 1 ? fill : 1);
    guard_unlock(guard, locked);
    if (count == 0)
        return NULL;
    for (size_t i = 0; i + 1 < count; i++)
        block_mark(block_from_payload(payloads[i]), BLOCK_MAGIC_FRONT);
    if (fill > 1)
        list->count = (uint16_t)(count - 1);
    return payloads[count - 1];
}

bool front_make_room(struct front *front, struct front_list *list)
{
    front->is_busy[list - front->lists] = true;
    if (!front->is_draining && front_is_left_over(front))
        front_drain(front);
    if (front->is_draining)
        return false;
    if (list_grow(front, list, FRONT_LIMIT_MAX))
        return true;
    if (list->count == 0)
        return false;
    list_flush(list, (list->count + FRONT_FLUSH_SHARE - 1u) / FRONT_FLUSH_SHARE);
    return true;
}
