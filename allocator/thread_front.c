/* Whose front is whose, and over which heap: see thread_front.h. */
#include "thread_front.h"

static struct front front_none; /* before the first call */
static struct front front_gone; /* after the end */

/* gcc forgets the declaration's model here, and would ask __tls_get_addr in this file. */
_Thread_local struct front *thread_front
    __attribute__((tls_model("initial-exec"), visibility("hidden"))) = &front_none;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

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

static void key_make(void)
{
    pthread_key_create(&key, thread_end);
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

struct front *thread_front_open(void)
{
    if (thread_front != &front_none)
        return thread_front == &front_gone ? NULL : thread_front;
    struct guard *guard = guard_for_thread();
    struct front *front = front_new(guard);
    if (!front)
        return NULL;
    atomic_fetch_add_explicit(&guard->fronts, 1, memory_order_relaxed);
    thread_front = front; /* setspecific may allocate */
    pthread_once(&key_once, key_make);
    pthread_setspecific(key, front);
    return front;
}

struct guard *thread_guard(void)
{
    struct front *front = thread_front_open();
    return front ? front->guard : &guards[0];
}
