/* The operating system for real: anonymous private mappings. */
#include "os.h"
#include "kernel.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

enum {
    PAGE_LEAST = 4096,    /* of all systems with 64-bit pointers */
    PAGE_MOST = 64 * 1024 /* of x86-64 and AArch64 */
};

/* Where nobody but the kernel may be asked: it refuses to protect no bytes at an address that does
   not begin a page, and does nothing at one that does. Too large a page would do no harm. */
static size_t page_size_probe(void)
{
    size_t bytes = PAGE_LEAST;
    while (bytes < PAGE_MOST &&
           kernel_call(SYS_mprotect, (long)bytes, 0, PROT_NONE, 0, 0, 0) == -EINVAL)
        bytes *= 2;
    return bytes;
}

size_t os_page_size(void)
{
    static _Atomic size_t known;
    size_t page_size = atomic_load_explicit(&known, memory_order_relaxed);
    if (page_size == 0) {
        page_size = page_size_probe();
        atomic_store_explicit(&known, page_size, memory_order_relaxed);
    }
    return page_size;
}

/*
 * ThreadSanitizer sees pages come and go in the calls of libc only. Without them it has to be told
 * that who is given a page comes after who returned it, or it sees the two race.
 */
#if defined(__SANITIZE_THREAD__) || BUILD_HAS_FEATURE(thread_sanitizer)
#include <sanitizer/tsan_interface.h>

static char pages; /* only its address means anything */

static void pages_come(void)
{
    __tsan_acquire(&pages);
}

static void pages_go(void)
{
    __tsan_release(&pages);
}
#else
static void pages_come(void)
{
}

static void pages_go(void)
{
}
#endif

/* Failures have more names (EAGAIN, EPERM, EFAULT), which malloc's callers do not expect. */
static void *mapped_or_null(long start)
{
    if (!kernel_failed(start)) {
        pages_come();
        return (void *)start;
    }
    errno = ENOMEM;
    return NULL;
}

void *os_map(size_t bytes)
{
    return mapped_or_null(kernel_call(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void *os_reserve(size_t bytes)
{
    return mapped_or_null(kernel_call(SYS_mmap, 0, (long)bytes, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

void os_expect_use(void *start, size_t bytes)
{
    kernel_call(SYS_madvise, (long)start, (long)bytes, MADV_HUGEPAGE, 0, 0, 0);
}

#ifndef MADV_POPULATE_WRITE /* glibc before 2.35 */
#define MADV_POPULATE_WRITE 23
#endif

/* A system that does not know how, or lets nobody, is asked once. */
void os_fault_in(void *start, size_t bytes)
{
    static _Atomic bool refused;
    if (atomic_load_explicit(&refused, memory_order_relaxed))
        return;
    long result = kernel_call(SYS_madvise, (long)start, (long)bytes, MADV_POPULATE_WRITE, 0, 0, 0);
    if (result == -EINVAL || result == -EPERM || result == -ENOSYS)
        atomic_store_explicit(&refused, true, memory_order_relaxed);
}

bool os_is_there(void *start)
{
    unsigned char there = 0;
    return kernel_call(SYS_mincore, (long)start, 1, (long)&there, 0, 0, 0) == 0 && there & 1;
}

uint64_t os_spent_ns(void)
{
    struct timespec spent = {0};
    kernel_call(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, (long)&spent, 0, 0, 0, 0);
    return (uint64_t)spent.tv_sec * 1000000000 + (uint64_t)spent.tv_nsec;
}

void *os_remap(void *start, size_t bytes, size_t new_bytes)
{
    pages_go();
    return mapped_or_null(
        kernel_call(SYS_mremap, (long)start, (long)bytes, (long)new_bytes, MREMAP_MAYMOVE, 0, 0));
}

bool os_unmap(void *start, size_t bytes)
{
    pages_go();
    return kernel_call(SYS_munmap, (long)start, (long)bytes, 0, 0, 0, 0) == 0;
}
