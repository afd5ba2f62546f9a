/*
 * The clocks are read innermost and the slow getrusage outside, so that its time is not in theirs.
 */
#include "cost.h"

#include <sys/resource.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

struct cost cost_before(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    struct cost cost = {
        .user_ns = timeval_ns(usage.ru_utime),
        .sys_ns = timeval_ns(usage.ru_stime),
        .minor_faults = (uint64_t)usage.ru_minflt,
        .major_faults = (uint64_t)usage.ru_majflt,
    };
    cost.cpu_time_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    cost.real_time_ns = clock_ns(CLOCK_MONOTONIC);
    return cost;
}

struct cost cost_after(void)
{
    uint64_t real_time_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t cpu_time_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    struct cost cost = cost_before();
    cost.real_time_ns = real_time_ns;
    cost.cpu_time_ns = cpu_time_ns;
    return cost;
}

void cost_add(struct cost *sum, const struct cost *before, const struct cost *after)
{
    sum->real_time_ns += after->real_time_ns - before->real_time_ns;
    sum->cpu_time_ns += after->cpu_time_ns - before->cpu_time_ns;
    sum->user_ns += after->user_ns - before->user_ns;
    sum->sys_ns += after->sys_ns - before->sys_ns;
    sum->minor_faults += after->minor_faults - before->minor_faults;
    sum->major_faults += after->major_faults - before->major_faults;
}

/* The system's split of the time is coarse: a part may seem to have more of it than the whole. */
static uint64_t less(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

void cost_subtract(struct cost *sum, const struct cost *part)
{
    sum->real_time_ns = less(sum->real_time_ns, part->real_time_ns);
    sum->cpu_time_ns = less(sum->cpu_time_ns, part->cpu_time_ns);
    sum->user_ns = less(sum->user_ns, part->user_ns);
    sum->sys_ns = less(sum->sys_ns, part->sys_ns);
    sum->minor_faults = less(sum->minor_faults, part->minor_faults);
    sum->major_faults = less(sum->major_faults, part->major_faults);
}

void cost_print(const struct cost *cost, struct json_text *text)
{
    json_text_number(text, "real_time_ns", (int64_t)cost->real_time_ns);
    json_text_number(text, "cpu_time_ns", (int64_t)cost->cpu_time_ns);
    json_text_number(text, "user_ns", (int64_t)cost->user_ns);
    json_text_number(text, "sys_ns", (int64_t)cost->sys_ns);
    json_text_number(text, "minor_faults", (int64_t)cost->minor_faults);
    json_text_number(text, "major_faults", (int64_t)cost->major_faults);
}
