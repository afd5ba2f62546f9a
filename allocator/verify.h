/*
 * The arena where mistakes of the program are looked for as well as it can be done without a
 * compiler's help: SPAN_OPTIONS=verify. libspan only.
 *
 * Blocks are sealed (verified.h) and wait when they are freed (quarantine.h); realloc always moves,
 * so that a pointer to where the block was is noticed, too; requests of zero bytes are addresses
 * without memory (empty.h). All of a block is verified when it is freed, resized or asked for its
 * size, when it leaves the quarantine, by span_check, and when the process exits; what the heap
 * hands out, before it does, up to VERIFIED_LOOKED_AT bytes.
 *
 * The functions are those of arena.h, with its errors, for the one arena. The usable size is what
 * was asked for. Blocks from before the library was initialised are served as they are.
 */
#ifndef ALLOCATOR_VERIFY_H
#define ALLOCATOR_VERIFY_H

#include "arena.h"

/* Set once, before main. Hidden where it is declared, or each call would look up its address. */
extern __attribute__((visibility("hidden"))) bool verify_is_on;

void *verify_allocate(size_t request);
void *verify_allocate_zeroed(size_t request);
void *verify_allocate_aligned(size_t align, size_t request);
void verify_free(void *p);
/* Fatal where other ones than these were asked for. */
void verify_free_sized(void *p, size_t size);
void verify_free_aligned_sized(void *p, size_t alignment, size_t size);
void *verify_resize(void *p, size_t request);
size_t verify_usable_size(void *p);

#endif
