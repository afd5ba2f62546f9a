/*
 * Several heaps, and a front for each thread: see pool.h and front.h. A thread takes its blocks
 * from the heap with the fewest threads; a block that any thread frees goes into that thread's
 * front, and from there home, to the heap of its owner span.
 */
#include "check.h"
#include "pool.h"
#include "thread_front.h"

#include <errno.h>
#include <string.h>

enum {
    /* Larger alignments are cut out of a free block by the heap: the room for any misalignment that
       inner payloads take would be too much. */
    INNER_ALIGN_MAX = 256,
    RESIZE_WASTE_SHARE = 4, /* a block of which more than this part would be unused is left */
    RESIZE_EXTRA_SHARE = 8, /* what a large block that grows is given beyond the request */
};

static void *allocate_from_heap(size_t request)
{
    struct guard *guard = thread_guard();
    bool locked = guard_lock(guard);
    void *p = heap_allocate(&guard->heap, request);
    guard_unlock(guard, locked);
    return p;
}

void *pool_allocate_slowly(size_t request)
{
    struct front *front = thread_front_open();
    if (!front || request > FRONT_REQUEST_MAX)
        return allocate_from_heap(request);
    /* A block that was freed twice must not be handed out before that is noticed. */
    if (front_delays(front))
        front_free_delayed(front);
    front->frees = 0;
    front->is_draining = false;
    struct front_list *list = front_list_for(front, request);
    return list->count ? front_take(front, list) : front_refill(front, list);
}

void *pool_allocate_zeroed(size_t request)
{
    if (request <= FRONT_REQUEST_MAX) {
        void *p = pool_allocate(request);
        return p ? memset(p, 0, request) : NULL;
    }
    struct guard *guard = thread_guard();
    bool locked = guard_lock(guard);
    void *p = heap_allocate_zeroed(&guard->heap, request);
    guard_unlock(guard, locked);
    return p;
}

/*
 * A payload at a multiple of `align` in a block with room for any misalignment: cheaper than having
 * the heap cut out the very block. What looks like its header says where the block is.
 */
static void *allocate_inner(size_t align, size_t request)
{
    void *p = pool_allocate(request + align - ALIGNMENT);
    size_t offset = -(uintptr_t)p & (align - 1);
    if (!p || offset == 0)
        return p;
    struct block *inner = block_from_payload((char *)p + offset);
    block_set_tag(inner, offset, 0);
    block_set_owner(inner, block_owner(block_from_payload(p)), BLOCK_MAGIC_INNER);
    return (char *)p + offset;
}

/* The block of a payload, which may be an inner one; *offset: how far inside. */
static struct block *block_around(void *p, size_t *offset)
{
    struct block *inner = block_from_payload(p);
    *offset = 0;
    if ((uintptr_t)p % ALIGNMENT || block_magic(inner) != BLOCK_MAGIC_INNER ||
        !block_owner_is_possible(inner))
        return inner;
    *offset = block_size(inner);
    return block_from_payload((char *)p - *offset);
}

void *pool_allocate_aligned(size_t align, size_t request)
{
    if (align <= ALIGNMENT)
        return pool_allocate(request);
    if (align <= INNER_ALIGN_MAX && request <= FRONT_REQUEST_MAX)
        return allocate_inner(align, request);
    struct guard *guard = thread_guard();
    bool locked = guard_lock(guard);
    void *p = heap_allocate_aligned(&guard->heap, align, request);
    guard_unlock(guard, locked);
    return p;
}

static void free_to_heap(struct block *block)
{
    struct guard *guard = guard_of_heap(block_owner(block)->heap);
    bool locked = guard_lock(guard);
    heap_free(&guard->heap, block_payload(block), "free");
    guard_unlock(guard, locked);
}

/* Frees what the fast path does not: blocks that are large or the first of their size, inner ones,
   and mistakes. */
void pool_free_slowly(void *p)
{
    size_t offset;
    struct block *block = block_around(p, &offset);
    heap_block_checked(block_payload(block), BLOCK_MAGIC_USED, "free");
    if (offset)
        block_mark(block_from_payload(p), BLOCK_MAGIC_FRONT);
    size_t gross = block_size(block);
    struct front *front = front_can_hold(gross) ? thread_front_open() : NULL;
    struct front_list *list = front ? front_list_of(front, gross) : NULL;
    if (list && (list->count < list->limit || front_make_room(front, list)))
        front_put(front, list, block);
    else
        free_to_heap(block);
}

/* Puts a payload among the delayed ones, and frees the oldest of them. */
static inline void pool_delay(struct front *front, void *p)
{
    __builtin_prefetch(block_from_payload(p), 1);
    void **place = &front->delayed[front->turn % FRONT_DELAY];
    void *oldest = *place;
    *place = p;
    if (oldest)
        pool_free_now(front, oldest);
}

/* Out of line, so that the usual way through pool_free_with_delay saves no registers for it. */
static __attribute__((noinline)) void pool_delay_and_look(struct front *front, void *p)
{
    pool_delay(front, p);
    if (!front_is_left_over(front))
        return;
    front_free_delayed(front);
    front_drain(front);
}

void pool_free_with_delay(struct front *front, void *p)
{
    if (__builtin_expect(++front->turn % FRONT_LOOK == 0, 0))
        pool_delay_and_look(front, p);
    else
        pool_delay(front, p);
}

void front_free_delayed(struct front *front)
{
    for (unsigned i = 0; i < FRONT_DELAY; i++) {
        void *p = front->delayed[i];
        front->delayed[i] = NULL;
        if (p)
            pool_free_now(front, p);
    }
}

/* The same contents in a new block. */
static void *move(void *p, size_t kept, size_t request)
{
    void *moved = pool_allocate(request);
    if (!moved)
        return NULL;
    memcpy(moved, p, kept < request ? kept : request);
    pool_free(p);
    return moved;
}

static void *resize_in_heap(struct block *block, size_t request)
{
    struct guard *guard = guard_of_heap(block_owner(block)->heap);
    bool locked = guard_lock(guard);
    void *resized = heap_resize(&guard->heap, block_payload(block), request, "realloc");
    guard_unlock(guard, locked);
    return resized;
}

/* What grew once grows again: more than was asked for makes copies rare. */
static void *grow_in_heap(struct block *block, size_t request)
{
    int kept = errno;
    void *resized = resize_in_heap(block, request + request / RESIZE_EXTRA_SHARE);
    if (resized)
        return resized;
    errno = kept;
    return resize_in_heap(block, request);
}

void *pool_resize(void *p, size_t request)
{
    size_t offset;
    struct block *block = block_around(p, &offset);
    heap_block_checked(block_payload(block), BLOCK_MAGIC_USED, "realloc");
    size_t size = block_payload_size(block) - offset;
    /* A block that is used for the most part stays: it may grow again. */
    if (request <= size && size - request <= size / RESIZE_WASTE_SHARE)
        return p;
    if (offset || (request <= FRONT_REQUEST_MAX && front_can_hold(block_size(block))))
        return move(p, size, request);
    if (request > size && request <= BLOCK_REQUEST_MAX)
        return grow_in_heap(block, request);
    return resize_in_heap(block, request);
}

size_t pool_usable_size(void *p)
{
    size_t offset;
    struct block *block = block_around(p, &offset);
    return heap_usable_size(block_payload(block), "malloc_usable_size") - offset;
}

unsigned pool_check(char *report)
{
    unsigned faults = 0;
    for (int i = 0; i < BUILD_HEAPS; i++) {
        char ignored[CHECK_REPORT_MAX];
        bool locked = guard_lock(&guards[i]);
        faults += heap_check(&guards[i].heap, faults ? ignored : report);
        guard_unlock(&guards[i], locked);
    }
    return faults;
}
