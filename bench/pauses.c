/*
 * A pause is a sleep: whatever the allocator's own threads do meanwhile, they do.
 */
#include "pauses.h"

#include <errno.h>
#include <time.h>

uint32_t pause_before(struct pause_finder *finder, uint64_t time_ns)
{
    uint64_t ms = finder->has_time ? (time_ns - finder->time_ns) / 1000000 : 0;
    finder->time_ns = time_ns;
    finder->has_time = true;
    if (!finder->is_asked || ms < PAUSE_LEAST_MS)
        return 0;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

void pause_make(struct paused *paused, uint32_t ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    struct cost before = cost_before();
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
    struct cost after = cost_after();
    cost_add(&paused->cost, &before, &after);
    paused->count++;
}
