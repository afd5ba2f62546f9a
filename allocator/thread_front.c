/* Whose front is whose, and over which heap: see thread_front.h. */
#include "thread_front.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#if __has_include(<gnu/lib-names.h>)
#include <gnu/lib-names.h>
#endif

static struct front front_none; /* before the first call */
static struct front front_gone; /* after the end */

/* gcc forgets the declaration's model here, and would ask __tls_get_addr in this file. */
_Thread_local struct front *thread_front
    __attribute__((tls_model("initial-exec"), visibility("hidden"))) = &front_none;

typedef int key_set_function(pthread_key_t, const void *);

static pthread_key_t key;
static _Atomic(key_set_function *) key_set; /* NULL: there is no key yet */

static bool thread_front_is_real(void)
{
    return thread_front != &front_none && thread_front != &front_gone;
}

/* Destructors of other keys may run later, and allocate and free: straight from and to the heaps.
 */
static void thread_end(void *front)
{
    struct guard *guard = ((struct front *)front)->guard;
    front_free_delayed(front);
    thread_front = &front_gone;
    atomic_fetch_sub_explicit(&guard->fronts, 1, memory_order_relaxed);
    front_delete(front);
}

/* The thread that calls exit does not end by itself: what it freed last is looked at here. */
__attribute__((destructor)) static void process_end(void)
{
    if (front_delays(thread_front))
        front_free_delayed(thread_front);
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
    if (thread_front_is_real())
        set(key, thread_front);
}

/* The guard with the fewest threads, the first of them: a program of few threads uses few heaps. */
static struct guard *guard_for_thread(void)
{
    struct guard *best = &guards[0];
    for (int i = 1; i < BUILD_HEAPS; i++)
        if (guards[i].fronts < best->fronts)
            best = &guards[i];
    return best;
}

/*
 * Before there is a key only a single thread has a front, which key_make does not forget; what a
 * thread of an early constructor kept in one would be lost at its end.
 */
static struct front *front_first(void)
{
    key_set_function *set = atomic_load_explicit(&key_set, memory_order_acquire);
    if (!set && !GUARD_SINGLE_THREADED)
        return NULL;
    struct guard *guard = guard_for_thread();
    struct front *front = front_new(guard);
    if (!front)
        return NULL;
    atomic_fetch_add_explicit(&guard->fronts, 1, memory_order_relaxed);
    thread_front = front; /* setspecific may allocate */
    if (set)
        set(key, front);
    return front;
}

struct front *thread_front_open(void)
{
    if (thread_front == &front_none)
        return front_first();
    return thread_front == &front_gone ? NULL : thread_front;
}

struct guard *thread_guard(void)
{
    struct front *front = thread_front_open();
    return front ? front->guard : &guards[0];
}
