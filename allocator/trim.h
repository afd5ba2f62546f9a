/* Giving back to the system what is kept for later, at the program's word. */
#ifndef ALLOCATOR_TRIM_H
#define ALLOCATOR_TRIM_H

#include "build.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Brings home the blocks that the calling thread has cached, and unmaps the empty spans of all
 * heaps but for `pad` bytes. Whether the system got anything; errno is kept. Caches of other
 * threads stay as they are.
 */
bool pool_trim(size_t pad);

/* Looks at what the calling thread freed but nobody has looked at yet, so that it counts as free.
 */
void pool_settle(void);

#endif
