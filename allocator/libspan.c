/*
 * The public functions: argument checks, errno, and one static heap behind one mutex. The mutex is
 * left alone while the process has a single thread.
 */
#include "libspan.h"
#include "check.h"
#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <unistd.h>

static struct heap heap;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* The thread that is between prepare and parent of a fork, and so holds the mutex: handlers of
   other libraries run in between and may allocate. 0: none. */
static _Atomic pthread_t forking;

/*
 * Whether the mutex was taken. Decided once a call: the answer of __libc_single_threaded may
 * change to true before the unlock (it never changes to false in between, since nothing in the
 * heap starts threads).
 */
static bool heap_lock(void)
{
    if (__libc_single_threaded)
        return false;
    pthread_t forker = atomic_load_explicit(&forking, memory_order_relaxed);
    if (forker && pthread_equal(forker, pthread_self()))
        return false;
    pthread_mutex_lock(&mutex);
    return true;
}

static void heap_unlock(bool locked)
{
    if (locked)
        pthread_mutex_unlock(&mutex);
}

static void fork_prepare(void)
{
    pthread_mutex_lock(&mutex);
    atomic_store_explicit(&forking, pthread_self(), memory_order_relaxed);
}

static void fork_parent(void)
{
    atomic_store_explicit(&forking, 0, memory_order_relaxed);
    pthread_mutex_unlock(&mutex);
}

static void fork_child(void)
{
    atomic_store_explicit(&forking, 0, memory_order_relaxed);
    pthread_mutex_init(&mutex, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void *span_malloc(size_t size)
{
    bool locked = heap_lock();
    void *p = heap_allocate(&heap, size);
    heap_unlock(locked);
    return p;
}

void span_free(void *p)
{
    if (!p)
        return;
    bool locked = heap_lock();
    heap_free(&heap, p, "free");
    heap_unlock(locked);
}

static bool product_fits(size_t count, size_t size, size_t *product)
{
    if (!__builtin_mul_overflow(count, size, product))
        return true;
    errno = ENOMEM;
    return false;
}

void *span_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!product_fits(count, size, &bytes))
        return NULL;
    bool locked = heap_lock();
    void *p = heap_allocate_zeroed(&heap, bytes);
    heap_unlock(locked);
    return p;
}

void *span_realloc(void *p, size_t size)
{
    if (!p)
        return span_malloc(size);
    if (size == 0) {
        span_free(p);
        return NULL;
    }
    bool locked = heap_lock();
    void *resized = heap_resize(&heap, p, size, "realloc");
    heap_unlock(locked);
    return resized;
}

void *span_reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    return product_fits(count, size, &bytes) ? span_realloc(p, bytes) : NULL;
}

static bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static void *allocate_aligned(size_t alignment, size_t size)
{
    bool locked = heap_lock();
    void *p = heap_allocate_aligned(&heap, alignment, size);
    heap_unlock(locked);
    return p;
}

int span_posix_memalign(void **memptr, size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    int kept = errno;
    void *p = allocate_aligned(alignment, size);
    errno = kept;
    if (!p)
        return ENOMEM;
    *memptr = p;
    return 0;
}

void *span_aligned_alloc(size_t alignment, size_t size)
{
    if (is_power_of_two(alignment))
        return allocate_aligned(alignment, size);
    errno = EINVAL;
    return NULL;
}

void *span_memalign(size_t alignment, size_t size)
{
    size_t rounded = ALIGNMENT;
    while (rounded < alignment && rounded <= BLOCK_REQUEST_MAX)
        rounded *= 2;
    return allocate_aligned(rounded, size);
}

void *span_valloc(size_t size)
{
    return allocate_aligned(os_page_size(), size);
}

void *span_pvalloc(size_t size)
{
    size_t mask = os_page_size() - 1;
    if (size > SIZE_MAX - mask) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate_aligned(os_page_size(), (size + mask) & ~mask);
}

size_t span_malloc_usable_size(void *p)
{
    if (!p)
        return 0;
    bool locked = heap_lock();
    size_t size = heap_usable_size(p, "malloc_usable_size");
    heap_unlock(locked);
    return size;
}

unsigned span_check(void)
{
    char report[CHECK_REPORT_MAX];
    char line[CHECK_REPORT_MAX + 32];
    bool locked = heap_lock();
    unsigned faults = heap_check(&heap, report);
    heap_unlock(locked);
    if (faults) {
        int bytes = snprintf(line, sizeof line, "span: %u faults, first %s\n", faults, report);
        ssize_t written = write(STDERR_FILENO, line, (size_t)bytes);
        (void)written;
    }
    return faults;
}

const char *span_version(void)
{
    return "span " SPANBENCH_VERSION;
}
