/*
 * The end of a program that broke the heap: one literal line on standard error, then abort. Always
 * on, in every build. Our own mistakes are assertions, not this.
 */
#ifndef ALLOCATOR_MISUSE_H
#define ALLOCATOR_MISUSE_H

#include "build.h"

/* The standard function that was called. */
enum misuse_caller { IN_MALLOC, IN_FREE, IN_REALLOC, IN_USABLE_SIZE };

/*
 * Writes "span: FUNCTION(POINTER): WHAT" with write(2), so that nothing allocates, and aborts. `p`
 * is the pointer that the function was given, or the one to the memory that is wrong.
 */
_Noreturn void misuse_abort(enum misuse_caller caller, const void *p, const char *what);

#endif
