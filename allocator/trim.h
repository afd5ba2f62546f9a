/* Giving back to the system what is cached for later, at the program's word. */
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
bool arenas_trim(size_t pad);

/* Looks at what was freed and nobody has looked at yet: by this thread with delay, and by others
   for any arena; so that it counts as free. */
void arenas_settle(void);

#endif
