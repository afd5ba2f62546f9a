/*
 * The operating system, as the allocator sees it: pages come and pages go. Its .c is the only file
 * that makes the calls mmap, mremap, munmap and madvise (see kernel.h), and so the seam at which
 * tests make them fail.
 */
#ifndef ALLOCATOR_OS_H
#define ALLOCATOR_OS_H

#include "build.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a page; a power of two. */
size_t os_page_size(void);

/* Maps `bytes` (a multiple of the page) of zeroed, private memory. NULL and ENOMEM on failure. */
void *os_map(size_t bytes);

/* The same without memory: whoever touches these addresses gets SIGSEGV. */
void *os_reserve(size_t bytes);

/* Bytes of a huge page, where there are such; a power of two. */
enum { OS_HUGE_PAGE = 2 * 1024 * 1024 };

/* Tells the system that all of [start, start + bytes) will be used: where it has huge pages to
   give, one page fault brings one of them. */
void os_expect_use(void *start, size_t bytes);

/*
 * Faults in the pages [start, start + bytes), which are mapped, as writing to each would, contents
 * kept. Where the system cannot (Linux before 5.14), they come when they are touched.
 */
void os_fault_in(void *start, size_t bytes);

/* Whether the page at `start` has been faulted in; false if the system does not tell. */
bool os_is_there(void *start);

/* Nanoseconds that the calling thread has spent on a processor. Page faults count, and the host of
   a virtual machine when it has to find the page; waiting for a processor does not. */
uint64_t os_spent_ns(void);

/*
 * Changes the size of a mapping made by os_map from `bytes` to `new_bytes` (whole pages), moving
 * its pages elsewhere if they must; nothing is copied, and what is new is zero. The new start, or
 * NULL and ENOMEM, with the mapping as it was.
 */
void *os_remap(void *start, size_t bytes, size_t new_bytes);

/*
 * Returns the pages [start, start + bytes) to the system; they may be part of a mapping. errno is
 * kept. false: the system refused (it must split a mapping and has no room to note that), and the
 * pages are still there.
 */
bool os_unmap(void *start, size_t bytes);

#endif
