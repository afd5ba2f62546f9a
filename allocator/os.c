/* The operating system for real: anonymous private mappings. */
#include "os.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

size_t os_page_size(void)
{
    static size_t page_size;
    if (page_size == 0)
        page_size = (size_t)sysconf(_SC_PAGESIZE);
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
