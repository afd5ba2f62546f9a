/* See api_fixture.h. */
#include "api_fixture.h"
#include "allocator/libspan.h"
#include "emulation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIME_LIMIT_S = 60, HAMMER_BLOCKS = 64, HAMMER_BYTES_MAX = 60000 };

static pthread_t hammers[HAMMERS];
static atomic_bool hammering;

int limit_time(void **state)
{
    (void)state;
    alarm(TIME_LIMIT_S);
    return 0;
}

int sound_api(void **state)
{
    (void)state;
    return span_check() ? -1 : 0;
}

extern void __tsan_init(void) __attribute__((weak));

bool has_thread_sanitizer(void)
{
    return __tsan_init != NULL;
}

size_t resident(void)
{
    size_t pages = 0;
    if (is_emulated())
        return 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %zu", &pages) != 1)
        abort();
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

extern void __asan_init(void) __attribute__((weak));

size_t memory_held(void)
{
    if (!is_emulated() && !has_thread_sanitizer() && !__asan_init)
        return resident();
    struct span_mallinfo2 info = span_mallinfo2();
    return info.arena + info.hblkhd;
}

/* A window of blocks, the oldest of which is replaced by one of another size. */
static void *hammer(void *unused)
{
    void *window[HAMMER_BLOCKS] = {NULL};
    for (size_t i = 0; atomic_load_explicit(&hammering, memory_order_relaxed); i++) {
        span_free(window[i % HAMMER_BLOCKS]);
        window[i % HAMMER_BLOCKS] = span_malloc(i * 7919 % HAMMER_BYTES_MAX);
    }
    for (size_t i = 0; i < HAMMER_BLOCKS; i++)
        span_free(window[i]);
    return unused;
}

void hammers_start(void)
{
    atomic_store(&hammering, true);
    for (int i = 0; i < HAMMERS; i++)
        if (pthread_create(&hammers[i], NULL, hammer, NULL) != 0)
            abort();
}

void hammers_stop(void)
{
    atomic_store(&hammering, false);
    for (int i = 0; i < HAMMERS; i++)
        pthread_join(hammers[i], NULL);
}
