/*
 * Harness memory. It asks for small pages: whether a table gets huge ones depends on where it
 * happens to lie, which would differ from run to run, and a mapping with other flags than the
 * allocator's is never merged with one of those by the system.
 */
#include "own_memory.h"

#include "workloads/pages.h"

#include <sys/mman.h>

/* Bytes; the smallest page there is. Larger ones are written to several times. */
enum { TOUCH_STEP = 4096 };

static void own_memory_advise(void *p, size_t bytes)
{
    madvise(p, bytes, MADV_NOHUGEPAGE);
}

void *own_memory_map(size_t bytes)
{
    volatile char *p = pages_map(bytes);
    if (p == NULL)
        return NULL;
    own_memory_advise((void *)p, bytes);
    for (size_t i = 0; i < bytes; i += TOUCH_STEP)
        p[i] = 0;
    return (void *)p;
}

void *own_memory_map_stack(size_t bytes, size_t top)
{
    char *p = pages_map(bytes);
    if (p == NULL)
        return NULL;
    own_memory_advise(p, bytes);
    own_memory_touch(p, TOUCH_STEP);
    own_memory_touch(p + bytes - top, top);
    return p;
}

void own_memory_touch(void *p, size_t bytes)
{
    volatile char *at = p;
    for (size_t i = 0; i < bytes; i += TOUCH_STEP)
        at[i] = at[i];
}

void own_memory_unmap(void *p, size_t bytes)
{
    pages_unmap(p, bytes);
}

bool own_memory_reserve(void **p, size_t *capacity, size_t element, size_t wanted)
{
    if (wanted <= *capacity)
        return true;
    if (!pages_reserve(p, capacity, element, wanted))
        return false;
    own_memory_advise(*p, *capacity * element);
    return true;
}
