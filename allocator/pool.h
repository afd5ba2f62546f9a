/*
 * Where the public functions get their memory from: all heaps of the process together, to be called
 * from any thread. One of two files implements it: pool_plain.c, one heap behind a lock, or
 * pool_fronts.c, several heaps and recently freed blocks in front of them.
 *
 * The functions are those of heap.h, without a heap to be named; errors are the same.
 */
#ifndef ALLOCATOR_POOL_H
#define ALLOCATOR_POOL_H

#include "build.h"

#include <stddef.h>

#if SPAN_FAST
#include "pool_hot.h" /* pool_allocate and pool_free */
#else
void *pool_allocate(size_t request);
void pool_free(void *p);
#endif
void *pool_allocate_zeroed(size_t request);
void *pool_allocate_aligned(size_t align, size_t request);
void *pool_resize(void *p, size_t request);
size_t pool_usable_size(void *p);

/* heap_check of all heaps, the first fault in `report`, which has CHECK_REPORT_MAX bytes. */
unsigned pool_check(char *report);

#endif
