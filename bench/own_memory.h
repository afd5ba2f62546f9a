/*
 * Memory of the harness: from mmap, never from the allocator that is being measured, and faulted
 * in before the clock starts, so that no page fault of ours is counted as the allocator's.
 */
#ifndef BENCH_OWN_MEMORY_H
#define BENCH_OWN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Maps zeroed memory and touches every page of it; NULL and errno on failure. */
void *own_memory_map(size_t bytes);
/* Maps zeroed memory and touches its first page and its last `top` bytes: for a stack. */
void *own_memory_map_stack(size_t bytes, size_t top);
void own_memory_unmap(void *p, size_t bytes);
/* Writes to each page, with what is there: a copy of the process (fork) shares them until then. */
void own_memory_touch(void *p, size_t bytes);
/*
 * As pages_reserve: room for `wanted` elements. The new room is not touched: it is for arrays
 * that the caller fills before the clock starts, and the part that is never filled costs nothing.
 */
bool own_memory_reserve(void **p, size_t *capacity, size_t element, size_t wanted);

#endif
