/*
 * See fake_os.h. Regions are kept in a fixed table: tests map little. A lock keeps the table whole
 * where a test has threads; a forked child makes a new one.
 */
#include "fake_os.h"
#include "allocator/os.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGIONS_MAX = 1 << 16 };

static struct region {
    uintptr_t start;
    size_t bytes;
} regions[REGIONS_MAX];
static size_t region_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct fake_os fake_os = {.map_fails_in = FAKE_OS_NEVER, .unmap_fails_in = FAKE_OS_NEVER};

static void renew_mutex(void)
{
    pthread_mutex_init(&mutex, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, renew_mutex);
}

/* Not an assertion: release builds have none, and are tested too. */
static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fake_os: %s\n", what);
    abort();
}

void fake_os_reset(void)
{
    fake_os = (struct fake_os){.map_fails_in = FAKE_OS_NEVER, .unmap_fails_in = FAKE_OS_NEVER};
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

/* Whether this call is to fail; `fails_in` counts the ones that may succeed before. */
static bool fails_now(bool always, long *fails_in)
{
    bool fails = always || *fails_in == 0;
    if (*fails_in > 0 || (*fails_in == 0 && !fake_os.fails_on))
        (*fails_in)--; /* past 0 is FAKE_OS_NEVER */
    fake_os.failures += fails;
    return fails;
}

/* At the place asked for, if any; NULL if the real system has no memory. */
static void *map_somewhere(size_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (fake_os.place ? MAP_FIXED_NOREPLACE : 0);
    void *start = mmap(fake_os.place, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    demand(start != MAP_FAILED || !fake_os.place, "cannot map at the place asked for");
    fake_os.place = NULL;
    return start == MAP_FAILED ? NULL : start;
}

static void region_add(void *start, size_t bytes)
{
    demand(region_count < REGIONS_MAX, "too many regions for the table");
    regions[region_count++] = (struct region){(uintptr_t)start, bytes};
    fake_os.maps++;
    fake_os.mapped += bytes;
    fake_os.last_bytes = bytes;
}

void *os_map(size_t bytes)
{
    void *start = NULL;
    demand(bytes > 0 && bytes % os_page_size() == 0, "os_map of parts of pages");
    pthread_mutex_lock(&mutex);
    if (!fails_now(fake_os.maps_fail, &fake_os.map_fails_in))
        start = map_somewhere(bytes);
    if (start)
        region_add(start, bytes);
    pthread_mutex_unlock(&mutex);
    if (!start)
        errno = ENOMEM;
    return start;
}

void os_expect_use(void *start, size_t bytes)
{
    demand((uintptr_t)start % OS_HUGE_PAGE == 0 && bytes % OS_HUGE_PAGE == 0,
           "os_expect_use of parts of huge pages");
    pthread_mutex_lock(&mutex);
    demand(fake_os_holds(start, bytes), "os_expect_use of what is not mapped");
    fake_os.expected += bytes;
    pthread_mutex_unlock(&mutex);
}

uint64_t os_spent_ns(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t spent_ns = fake_os.spent_ns += fake_os.tick_ns;
    pthread_mutex_unlock(&mutex);
    return spent_ns;
}

static struct region *region_at(void *start, size_t bytes)
{
    size_t i = 0;
    while (i < region_count && regions[i].start != (uintptr_t)start)
        i++;
    demand(i < region_count && regions[i].bytes == bytes, "os_remap of what is no mapping");
    return &regions[i];
}

static void *remap(void *start, size_t bytes, size_t new_bytes)
{
    struct region *region = region_at(start, bytes);
    void *moved = mremap(start, bytes, new_bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return NULL;
    *region = (struct region){(uintptr_t)moved, new_bytes};
    fake_os.remaps++;
    fake_os.mapped += new_bytes - bytes;
    return moved;
}

void *os_remap(void *start, size_t bytes, size_t new_bytes)
{
    void *moved = NULL;
    demand(new_bytes > 0 && new_bytes % os_page_size() == 0, "os_remap to parts of pages");
    pthread_mutex_lock(&mutex);
    if (!fails_now(fake_os.maps_fail, &fake_os.map_fails_in))
        moved = remap(start, bytes, new_bytes);
    pthread_mutex_unlock(&mutex);
    if (!moved)
        errno = ENOMEM;
    return moved;
}

/* Takes [start, start + bytes) out of the table: a whole region, or its front or end. */
static void region_remove(uintptr_t start, size_t bytes)
{
    for (size_t i = 0; i < region_count; i++) {
        struct region *region = &regions[i];
        bool is_front = start == region->start && bytes <= region->bytes;
        bool is_end = start >= region->start && start + bytes == region->start + region->bytes;
        if (!is_front && !is_end)
            continue;
        region->start += is_front ? bytes : 0;
        region->bytes -= bytes;
        if (region->bytes == 0)
            *region = regions[--region_count];
        return;
    }
    demand(false, "os_unmap of what is not mapped");
}

bool os_unmap(void *start, size_t bytes)
{
    demand(bytes > 0 && bytes % os_page_size() == 0, "os_unmap of parts of pages");
    pthread_mutex_lock(&mutex);
    bool fails = fails_now(fake_os.unmaps_fail, &fake_os.unmap_fails_in);
    if (!fails) {
        region_remove((uintptr_t)start, bytes);
        munmap(start, bytes);
        fake_os.unmaps++;
        fake_os.mapped -= bytes;
    }
    pthread_mutex_unlock(&mutex);
    return !fails;
}
