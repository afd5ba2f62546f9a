/* One heap behind one lock: see pool.h. */
#include "check.h"
#include "guard.h"
#include "pool.h"

static struct guard *const only = &guards[0];

void *pool_allocate(size_t request)
{
    bool locked = guard_lock(only);
    void *p = heap_allocate(&only->heap, request);
    guard_unlock(only, locked);
    return p;
}

void *pool_allocate_zeroed(size_t request)
{
    bool locked = guard_lock(only);
    void *p = heap_allocate_zeroed(&only->heap, request);
    guard_unlock(only, locked);
    return p;
}

void *pool_allocate_aligned(size_t align, size_t request)
{
    bool locked = guard_lock(only);
    void *p = heap_allocate_aligned(&only->heap, align, request);
    guard_unlock(only, locked);
    return p;
}

void pool_free(void *p)
{
    bool locked = guard_lock(only);
    heap_free(&only->heap, p, "free");
    guard_unlock(only, locked);
}

void *pool_resize(void *p, size_t request)
{
    bool locked = guard_lock(only);
    void *resized = heap_resize(&only->heap, p, request, "realloc");
    guard_unlock(only, locked);
    return resized;
}

size_t pool_usable_size(void *p)
{
    bool locked = guard_lock(only);
    size_t size = heap_usable_size(p, "malloc_usable_size");
    guard_unlock(only, locked);
    return size;
}

unsigned pool_check(char *report)
{
    bool locked = guard_lock(only);
    unsigned faults = heap_check(&only->heap, report);
    guard_unlock(only, locked);
    return faults;
}
