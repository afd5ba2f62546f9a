/*
 * Prefaulting: which pages are faulted in together, before any of them is touched. Those that the
 * next small blocks will lie on are, a few at a time, and those of a huge page, by the system
 * itself, where a span is put on one. A fault costs much whether one page comes or several: in a
 * growing heap it is most of what an allocation costs.
 */
#ifndef ALLOCATOR_PREFAULT_H
#define ALLOCATOR_PREFAULT_H

#include "span.h"

enum {
    /* So many bytes come ahead of a block. Half or four times as many take the same time and
       memory. */
    PREFAULT_BYTES = 16 * 1024,
    /* Blocks of up to so many gross bytes are small here. Programs use all of them; of larger ones,
       such as buffers, perhaps no more than a page. */
    PREFAULT_BLOCK_MAX = 8 * 1024,
    /*
     * What is beyond this is lost when a huge page is faulted in: 512 small pages take as long (1.3
     * us each). Where the system has to find the huge one first, or the host of a virtual machine
     * has, it can take ten times that.
     */
    PREFAULT_HUGE_FAIR_NS = 700 * 1000,
    /*
     * The part of a thread's time that its heap may have lost so: all accesses to huge pages are
     * quicker ever after, since the processor walks through page tables less. So a program that
     * runs long has them at any price, and one that only fills its memory takes at most a third
     * longer for their sake.
     */
    PREFAULT_LOSS_SHARE = 4,
};

/* As span_map_huge: on a huge page, unless those that the system gave were too slow. */
struct span *prefault_map_huge(struct spans *spans);

/* What is rare of prefault: `reach` bytes of the span will have been used. */
void prefault_from(struct span *span, size_t reach, size_t gross, size_t rest);

/* To be called before small blocks of `gross` bytes together are made at `block`; `rest` bytes
   beside them stay free, on the side where the next ones will be cut. */
static inline void prefault(struct span *span, const struct block *block, size_t gross, size_t rest)
{
    size_t reach = BUILD_CUTS_RUNS ? (size_t)((const char *)block - (char *)span) + gross
                                   : (size_t)((char *)span + span->size - (const char *)block);
    if (__builtin_expect(reach > span->touched, 0))
        prefault_from(span, reach, gross, rest);
}

#endif
