/*
 * The moments are counted from one start, so that a reading that takes long delays none after it.
 */
#include "decay.h"

#include <errno.h>
#include <malloc.h>
#include <time.h>

/* ns; far apart, since what allocators wait before they purge differs by powers of ten. */
static const uint64_t moment_ns[DECAY_MOMENTS] = {100000000, 1000000000, 5000000000};
static const char *const moment_names[DECAY_MOMENTS] = {"rss_after_100ms", "rss_after_1s",
                                                        "rss_after_5s"};

static void sleep_until(const struct timespec *start, uint64_t after_ns)
{
    uint64_t ns = (uint64_t)start->tv_nsec + after_ns;
    struct timespec end = {start->tv_sec + (time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
}

/* The C library's malloc_trim trims the C library's heap, whoever serves malloc: it would tell
   nothing of any other allocator. Volatile, as in identity.c. */
static bool trim_own(const struct identity *allocator)
{
    static char error[IDENTITY_ERROR_MAX];
    int (*volatile trim)(size_t) = malloc_trim;
    if (!identity_prove_function(allocator, "malloc_trim", (const void *)trim, error))
        return false;
    trim(0);
    return true;
}

struct decay decay_watch(const struct footprint *footprint, const struct identity *allocator)
{
    struct decay decay;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < DECAY_MOMENTS; i++) {
        sleep_until(&start, moment_ns[i]);
        decay.rss[i] = footprint_net_exact(footprint);
    }
    decay.has_trim = trim_own(allocator);
    decay.rss_after_trim = decay.has_trim ? footprint_net_exact(footprint) : 0;
    return decay;
}

void decay_print(const struct decay *decay, struct json_text *text)
{
    for (int i = 0; i < DECAY_MOMENTS; i++)
        json_text_number(text, moment_names[i], decay->rss[i]);
    if (decay->has_trim)
        json_text_number(text, "rss_after_trim", decay->rss_after_trim);
}
