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

static uintptr_t region_end(const struct region *region)
{
    return region->start + region->bytes;
}

/* How many of the bytes [start, end) lie in the region. */
static size_t region_overlap(const struct region *region, uintptr_t start, uintptr_t end)
{
    uintptr_t from = start > region->start ? start : region->start;
    uintptr_t to = end < region_end(region) ? end : region_end(region);
    return from < to ? to - from : 0;
}

/* As to a system, mappings that touch are one. */
bool fake_os_holds(const void *p, size_t bytes)
{
    uintptr_t start = (uintptr_t)p;
    size_t held = 0;
    for (size_t i = 0; i < region_count; i++)
        held += region_overlap(&regions[i], start, start + bytes);
    return held == bytes;
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

/* Behind a page that stays mapped, or the next mapping would take its place. */
static void *map_apart(size_t bytes)
{
    size_t page = os_page_size();
    char *start =
        mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    mprotect(start, page, PROT_NONE);
    return start + page;
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

static void region_add(uintptr_t start, size_t bytes)
{
    demand(region_count < REGIONS_MAX, "too many regions for the table");
    if (bytes > 0)
        regions[region_count++] = (struct region){start, bytes};
}

/* Takes [start, start + bytes), which are mapped, out of the table. */
static void region_remove(uintptr_t start, size_t bytes)
{
    uintptr_t end = start + bytes;
    for (size_t i = region_count; i-- > 0;) {
        struct region region = regions[i];
        if (region_overlap(&region, start, end) == 0)
            continue;
        regions[i] = regions[--region_count];
        if (region.start < start)
            region_add(region.start, start - region.start);
        if (region_end(&region) > end)
            region_add(end, region_end(&region) - end);
    }
}

static void note_map(void *start, size_t bytes)
{
    region_add((uintptr_t)start, bytes);
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
        start = fake_os.apart ? map_apart(bytes) : map_somewhere(bytes);
    if (start)
        note_map(start, bytes);
    pthread_mutex_unlock(&mutex);
    if (!start)
        errno = ENOMEM;
    return start;
}

/* Never unmapped, and so in no table. */
void *os_reserve(size_t bytes)
{
    void *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

void os_expect_use(void *start, size_t bytes)
{
    demand((uintptr_t)start % OS_HUGE_PAGE == 0 && bytes % OS_HUGE_PAGE == 0,
           "os_expect_use of parts of huge pages");
    pthread_mutex_lock(&mutex);
    demand(fake_os_holds(start, bytes), "os_expect_use of what is not mapped");
    fake_os.expected += bytes;
    fake_os.spent_ns += fake_os.huge_ns;
    pthread_mutex_unlock(&mutex);
}

void os_fault_in(void *start, size_t bytes)
{
    size_t page = os_page_size();
    demand((uintptr_t)start % page == 0 && bytes % page == 0, "os_fault_in of parts of pages");
    pthread_mutex_lock(&mutex);
    demand(fake_os_holds(start, bytes), "os_fault_in of what is not mapped");
    fake_os.fault_ins++;
    fake_os.faulted_in += bytes;
    pthread_mutex_unlock(&mutex);
}

bool os_is_there(void *start)
{
    pthread_mutex_lock(&mutex);
    demand(fake_os_holds(start, os_page_size()), "os_is_there of what is not mapped");
    bool is_there = fake_os.is_there;
    pthread_mutex_unlock(&mutex);
    return is_there;
}

uint64_t os_spent_ns(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t spent_ns = fake_os.spent_ns;
    pthread_mutex_unlock(&mutex);
    return spent_ns;
}

static void *remap(void *start, size_t bytes, size_t new_bytes)
{
    demand(fake_os_holds(start, bytes), "os_remap of what is not mapped");
    void *moved = mremap(start, bytes, new_bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return NULL;
    region_remove((uintptr_t)start, bytes);
    region_add((uintptr_t)moved, new_bytes);
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

bool os_unmap(void *start, size_t bytes)
{
    demand(bytes > 0 && bytes % os_page_size() == 0, "os_unmap of parts of pages");
    pthread_mutex_lock(&mutex);
    bool fails = fails_now(fake_os.unmaps_fail, &fake_os.unmap_fails_in);
    if (!fails) {
        demand(fake_os_holds(start, bytes), "os_unmap of what is not mapped");
        region_remove((uintptr_t)start, bytes);
        munmap(start, bytes);
        fake_os.unmaps++;
        fake_os.mapped -= bytes;
    }
    pthread_mutex_unlock(&mutex);
    return !fails;
}
