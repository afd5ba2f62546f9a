/* The cache of the calling thread: made at its first call, brought home at its end. */
#ifndef ALLOCATOR_OWN_CACHE_H
#define ALLOCATOR_OWN_CACHE_H

#include "thread_cache.h"

/*
 * Never NULL. Before the thread's first call and after its end it is a cache whose classes are
 * empty and have no room, which must not be changed. Only a pointer is thread-local: libraries that
 * are loaded by dlopen find little room for such variables.
 */
extern _Thread_local struct thread_cache *own_cache
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The thread's cache, made if need be; NULL if it has none any more or there is no memory. */
struct thread_cache *own_cache_open(void);

/* The arena from which the thread takes what its cache does not have. */
struct arena *own_arena(void);

#endif
