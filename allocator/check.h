/*
 * Walks a whole heap and recounts everything: for tests, and for a debugger's prompt. Slow.
 */
#ifndef ALLOCATOR_CHECK_H
#define ALLOCATOR_CHECK_H

#include "heap.h"

enum { CHECK_REPORT_MAX = 256 };

/*
 * Verifies that spans are whole pages, disjoint and linked both ways; that blocks tile each span
 * exactly, with true owners, magics and flags; that footers agree with tags; that no two free
 * blocks touch; that every free block is in exactly one bin, the right one; that bitmaps, block
 * counts, byte counts and the index of spans are true; that the empty spans are the cached ones,
 * and not too many; that a dedicated span has one used block; and what is true of one build alone.
 * Ends for any heap, since no list is followed beyond a fault in its links. Returns the number of
 * faults; the first one in words is in `report` (may be NULL), which is empty if there is none.
 */
unsigned heap_check(const struct heap *heap, char report[CHECK_REPORT_MAX]);

/* The same for blocks alone, their headers and what is in them: in time that grows with the heap
   and not with its square. */
unsigned heap_check_blocks(const struct heap *heap, char report[CHECK_REPORT_MAX]);

/* Writes one line about what a check found to standard error. */
void check_tell(unsigned faults, const char *report);

#endif
