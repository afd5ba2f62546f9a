/*
 * The end of a program that broke the heap: one literal line on standard error, then abort. Always
 * on, in every build. Our own mistakes are assertions, not this.
 */
#ifndef ALLOCATOR_MISUSE_H
#define ALLOCATOR_MISUSE_H

#include "build.h"

/*
 * Writes "span: FUNCTION(POINTER): WHAT" with write(2), so that nothing allocates, and aborts.
 * `function` is the standard function that was called, `p` the pointer it was given.
 */
_Noreturn void misuse_abort(const char *function, const void *p, const char *what);

#endif
