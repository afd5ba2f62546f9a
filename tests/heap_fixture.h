/* What tests of a heap share: an empty one before each test, and a recount after it. */
#ifndef TESTS_HEAP_FIXTURE_H
#define TESTS_HEAP_FIXTURE_H

#include "allocator/heap.h"

/* The heap under test. */
extern struct heap heap;

/* For cmocka's setup: an empty heap on a system without failures. */
int fresh_heap(void **state);
/* For its teardown: fails the test if heap_check finds a fault. */
int sound_heap(void **state);

/* Gives every span of the heap back to the system, with whatever is in it. */
void drop_heap(void);

/* The span of the block at p. */
struct span *span_of(void *p);

#endif
