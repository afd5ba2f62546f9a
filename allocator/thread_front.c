/* Whose front is whose, and over which heap: see thread_front.h. */
#include "thread_front.h"

#include <dlfcn.h>
#include <pthread.h>
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
#pragma weak dlopen
#pragma weak dlsym

/* libc's own function, or NULL. */
static void *function_of_libc(const char *name)
{
    void *libc = dlopen && dlsym ? dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    return libc ? dlsym(libc, name) : NULL;
}
#else
static void *function_of_libc(const char *name)
{
    (void)name;
    return NULL;
}
#endif

/*
 * Other libraries may stand before pthread_setspecific, too, and that is called inside malloc: so
 * libc's own is looked for. All that may meet such a library is called here, while nobody waits for
 * a malloc.
 */
__attribute__((constructor)) static void key_make(void)
{
    key_set_function *set = (key_set_function *)function_of_libc("pthread_setspecific");
    if (pthread_key_create(&key, thread_end) != 0)
        return;
    if (!set)
        set = pthread_setspecific;
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
