/*
 * The usual way through malloc and free of the tuned build, where the front of the thread has what
 * it takes. Inline, so that the public functions need not hand a call on. Only pool.h includes this
 * file.
 */
#ifndef ALLOCATOR_POOL_HOT_H
#define ALLOCATOR_POOL_HOT_H

#include "thread_front.h"

/* What to do where the front has not, in pool_fronts.c. */
void *pool_allocate_slowly(size_t request);
void pool_free_slowly(void *p);
void pool_free_with_delay(struct front *front, void *p);

static inline bool front_can_hold(size_t gross)
{
    return gross <= FRONT_GROSS_MAX && gross >= BLOCK_MIN;
}

static inline void *pool_allocate(size_t request)
{
    if (__builtin_expect(request <= FRONT_REQUEST_MAX, 1)) {
        struct front *front = thread_front;
        struct front_list *list = front_list_for(front, request);
        if (__builtin_expect(list->count && !front_delays(front), 1))
            return front_take(front, list);
    }
    return pool_allocate_slowly(request);
}

/* Frees without delay. */
static inline void pool_free_now(struct front *front, void *p)
{
    struct block *block = block_from_payload(p);
    size_t gross = block_tag_size(block);
    if (__builtin_expect(block_magic(block) == BLOCK_MAGIC_USED && front_can_hold(gross), 1)) {
        struct front_list *list = front_list_of(front, gross);
        if (__builtin_expect(list->count < list->limit, 1)) {
            front_put(front, list, block);
            return;
        }
    }
    pool_free_slowly(p);
}

static inline void pool_free(void *p)
{
    struct front *front = thread_front;
    if (__builtin_expect(!front_delays(front), 1))
        pool_free_now(front, p);
    else
        pool_free_with_delay(front, p);
}

#endif
