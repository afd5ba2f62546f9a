/*
 * Requests of zero bytes, where mistakes of the program are looked for: addresses that nothing is
 * behind, so that whoever touches them gets SIGSEGV. Behind the lock of the one arena.
 */
#ifndef ALLOCATOR_EMPTY_H
#define ALLOCATOR_EMPTY_H

#include "misuse.h"

#include <stdbool.h>

/* An address that no other live request has, 16-aligned; NULL: there is none to be had, and a block
   must do. errno is kept. */
void *empty_allocate(void);

/* Whether p lies among those addresses. */
bool empty_holds(const void *p);

/* Fatal unless p is live. */
void empty_check(void *p, enum misuse_caller caller);

/* Frees a live one. */
void empty_free(void *p);

#endif
