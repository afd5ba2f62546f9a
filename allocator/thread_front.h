/* The front of the calling thread: made at its first call, brought home at its end. */
#ifndef ALLOCATOR_THREAD_FRONT_H
#define ALLOCATOR_THREAD_FRONT_H

#include "front.h"

/*
 * Never NULL. Before the thread's first call and after its end it is a front whose lists are empty
 * and have no room, which must not be changed. Only a pointer is thread-local: libraries that are
 * loaded by dlopen find little room for such variables.
 */
extern _Thread_local struct front *thread_front
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The thread's front, made if need be; NULL if it has none any more or there is no memory. */
struct front *thread_front_open(void);

/* The guard of the heap from which the thread takes what its front does not have. */
struct guard *thread_guard(void);

/* Looks at the blocks that the thread freed with delay; pool_fronts.c knows how. */
void front_free_delayed(struct front *front);

#endif
