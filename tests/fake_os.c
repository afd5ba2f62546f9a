/* See fake_os.h. Regions are kept page by page in a fixed table: tests use little memory. */
#include "fake_os.h"
#include "allocator/os.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGIONS_MAX = 1 << 16 };

static struct region {
    uintptr_t start;
    size_t bytes;
} regions[REGIONS_MAX];
static size_t region_count;

struct fake_os fake_os;

void fake_os_reset(void)
{
    fake_os = (struct fake_os){.map_fails_in = FAKE_OS_NEVER};
    region_count = 0;
}

bool fake_os_holds(const void *p, size_t bytes)
{
    uintptr_t start = (uintptr_t)p;
    for (size_t i = 0; i < region_count; i++)
        if (start >= regions[i].start && start + bytes <= regions[i].start + regions[i].bytes)
            return true;
    return false;
}

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool map_fails(void)
{
    if (fake_os.maps_fail)
        return true;
    if (fake_os.map_fails_in == FAKE_OS_NEVER)
        return false;
    return fake_os.map_fails_in-- == 0;
}

void *os_map(size_t bytes)
{
    void *start = MAP_FAILED;
    if (!map_fails())
        start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    assert(region_count < REGIONS_MAX);
    regions[region_count++] = (struct region){(uintptr_t)start, bytes};
    fake_os.maps++;
    fake_os.mapped += bytes;
    fake_os.last_bytes = bytes;
    return start;
}

static struct region *region_at(void *start)
{
    size_t i = 0;
    while (i < region_count && regions[i].start != (uintptr_t)start)
        i++;
    assert(i < region_count && "os_remap of something that was not mapped");
    return &regions[i];
}

void *os_remap(void *start, size_t bytes, size_t new_bytes)
{
    void *moved = map_fails() ? MAP_FAILED : mremap(start, bytes, new_bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    *region_at(start) = (struct region){(uintptr_t)moved, new_bytes};
    fake_os.remaps++;
    fake_os.mapped += new_bytes - bytes;
    return moved;
}

/* Takes [start, start + bytes) out of the table: whole regions, or the end of one. */
static void region_remove(uintptr_t start, size_t bytes)
{
    for (size_t i = 0; i < region_count; i++) {
        struct region *region = &regions[i];
        if (start < region->start || start + bytes != region->start + region->bytes)
            continue;
        region->bytes -= bytes;
        if (region->bytes == 0)
            *region = regions[--region_count];
        return;
    }
    assert(!"os_unmap of something that was not mapped");
}

bool os_unmap(void *start, size_t bytes)
{
    if (fake_os.unmaps_fail)
        return false;
    region_remove((uintptr_t)start, bytes);
    munmap(start, bytes);
    fake_os.unmaps++;
    fake_os.mapped -= bytes;
    return true;
}
