/* The operating system for real: anonymous private mappings. */
#include "os.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

size_t os_page_size(void)
{
    static _Atomic size_t known;
    size_t page_size = atomic_load_explicit(&known, memory_order_relaxed);
    if (page_size == 0) {
        page_size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, page_size, memory_order_relaxed);
    }
    return page_size;
}

/* Failures have more names (EAGAIN, EPERM, EFAULT), which malloc's callers do not expect. */
static void *mapped_or_null(void *start)
{
    if (start != MAP_FAILED)
        return start;
    errno = ENOMEM;
    return NULL;
}

void *os_map(size_t bytes)
{
    return mapped_or_null(
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void os_expect_use(void *start, size_t bytes)
{
    int kept = errno; /* a kernel without huge pages says EINVAL */
    madvise(start, bytes, MADV_HUGEPAGE);
    errno = kept;
}

uint64_t os_spent_ns(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * 1000000000 + (uint64_t)spent.tv_nsec;
}

void *os_remap(void *start, size_t bytes, size_t new_bytes)
{
    return mapped_or_null(mremap(start, bytes, new_bytes, MREMAP_MAYMOVE));
}

bool os_unmap(void *start, size_t bytes)
{
    int kept = errno;
    bool unmapped = munmap(start, bytes) == 0;
    errno = kept;
    return unmapped;
}
