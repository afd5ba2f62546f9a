/* Whose thread cache is whose: see own_cache.h. */
#include "own_cache.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#if __has_include(<gnu/lib-names.h>)
#include <gnu/lib-names.h>
#endif

static struct thread_cache cache_none; /* before the first call */
static struct thread_cache cache_gone; /* after the end */

/* gcc forgets the declaration's model here, and would ask __tls_get_addr in this file. */
_Thread_local struct thread_cache *own_cache
    __attribute__((tls_model("initial-exec"), visibility("hidden"))) = &cache_none;

typedef int key_set_function(pthread_key_t, const void *);

static pthread_key_t key;
static _Atomic(key_set_function *) key_set; /* NULL: there is no key yet */

static bool own_cache_is_real(void)
{
    return own_cache != &cache_none && own_cache != &cache_gone;
}

/* Destructors of other keys may run later, and allocate and free: straight from and to the arenas.
 */
static void thread_end(void *cache)
{
    struct arena *arena = ((struct thread_cache *)cache)->arena;
    cache_free_delayed(cache);
    own_cache = &cache_gone;
    arena_leave(arena);
    cache_delete(cache);
}

/* The thread that calls exit does not end by itself: what it freed last is looked at here. */
__attribute__((destructor)) static void process_end(void)
{
    if (cache_delays(own_cache))
        cache_free_delayed(own_cache);
}

#ifdef LIBC_SO
/* Not there in a static program, where nothing stands before libc. */
#pragma weak dladdr
#pragma weak dlopen
#pragma weak dlsym

static bool is_of_libc(key_set_function *function)
{
    static const char libc[] = "/" LIBC_SO;
    Dl_info from;
    if (!dladdr || !dladdr((void *)function, &from))
        return false;
    size_t bytes = strlen(from.dli_fname);
    return bytes >= strlen(libc) && strcmp(from.dli_fname + bytes - strlen(libc), libc) == 0;
}

/* dlopen allocates for good, if little: it is called only where that is needed. */
static key_set_function *key_set_of_libc(void)
{
    if (!dlopen || !dlsym || is_of_libc(pthread_setspecific))
        return pthread_setspecific;
    void *libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
    void *found = libc ? dlsym(libc, "pthread_setspecific") : NULL;
    return found ? (key_set_function *)found : pthread_setspecific;
}
#else
static key_set_function *key_set_of_libc(void)
{
    return pthread_setspecific;
}
#endif

/*
 * Other libraries may stand before pthread_setspecific, too, and that is called inside malloc: so
 * libc's own is looked for. What may meet such a library is called from here, not from inside a
 * malloc that it called.
 */
__attribute__((constructor)) static void key_make(void)
{
    if (pthread_key_create(&key, thread_end) != 0)
        return;
    key_set_function *set = key_set_of_libc();
    atomic_store_explicit(&key_set, set, memory_order_release);
    if (own_cache_is_real())
        set(key, own_cache);
}

/*
 * Before there is a key only a single thread has a cache, which key_make does not forget; what a
 * thread of an early constructor kept in one would be lost at its end.
 */
static struct thread_cache *cache_first(void)
{
    key_set_function *set = atomic_load_explicit(&key_set, memory_order_acquire);
    if (!set && !ARENA_SINGLE_THREADED)
        return NULL;
    struct arena *arena = arena_join();
    struct thread_cache *cache = cache_new(arena);
    if (!cache) {
        arena_leave(arena);
        return NULL;
    }
    own_cache = cache; /* setspecific may allocate */
    if (set)
        set(key, cache);
    return cache;
}

struct thread_cache *own_cache_open(void)
{
    if (own_cache == &cache_none)
        return cache_first();
    return own_cache == &cache_gone ? NULL : own_cache;
}

struct arena *own_arena(void)
{
    struct thread_cache *cache = own_cache_open();
    return cache ? cache->arena : &arenas[0];
}
