/*
 * A stack of the slots that were given back.
 */
#include "slot_pool.h"

#include "pages.h"
#include "trace.h"

#include <errno.h>

bool slot_pool_take(struct slot_pool *pool, uint32_t *slot)
{
    if (pool->back_used > 0) {
        *slot = pool->back[--pool->back_used];
        return true;
    }
    if (pool->next == TRACE_NO_SLOT) {
        errno = ENOMEM;
        return false;
    }
    *slot = pool->next++;
    return true;
}

bool slot_pool_put(struct slot_pool *pool, uint32_t slot)
{
    void *p = pool->back;
    if (!pages_reserve(&p, &pool->back_capacity, sizeof *pool->back, pool->back_used + 1))
        return false;
    pool->back = p;
    pool->back[pool->back_used++] = slot;
    return true;
}

void slot_pool_close(struct slot_pool *pool)
{
    pages_unmap(pool->back, pool->back_capacity * sizeof *pool->back);
    *pool = (struct slot_pool){0};
}
