/*
 * Benchmarks that show what bench/micro.h promises: each says in counters what it saw. It is run by
 * test_shim.py.
 */
#include "bench/micro.h"

#include <time.h>

enum { PAUSE_NS = 2 * 1000 * 1000, MANUAL_NS = 500 };

static int visits; /* setups less teardowns */
static int setups;

static void begin(const struct micro *micro)
{
    visits++;
    setups += micro_thread(micro) == 0;
}

static void end(const struct micro *micro)
{
    (void)micro;
    visits--;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

MICRO(product, .arguments = {MICRO_LIST(2, 3), MICRO_LIST(10, 100)})
{
    MICRO_LOOP (micro)
        __asm__ volatile("");
    double product = (double)(micro_argument(micro, 0) * micro_argument(micro, 1));
    micro_count(micro, "product", product, MICRO_TOTAL);
}

MICRO(ranged, .range = {8, 500, 8})
{
    MICRO_LOOP (micro)
        __asm__ volatile("");
    micro_count(micro, "argument", (double)micro_argument(micro, 0), MICRO_TOTAL);
}

MICRO(threaded, .threads = MICRO_LIST(1, 3), .clock = MICRO_WALL)
{
    MICRO_LOOP (micro)
        __asm__ volatile("");
    micro_count(micro, "indexes", micro_thread(micro), MICRO_TOTAL);
    micro_count(micro, "seen", micro_threads(micro), MICRO_TOTAL);
}

MICRO(visited, .setup = begin, .teardown = end, .threads = MICRO_LIST(2))
{
    MICRO_LOOP (micro)
        __asm__ volatile("");
    micro_count(micro, "visits", visits, MICRO_TOTAL);
    micro_count(micro, "setups", setups, MICRO_TOTAL);
}

MICRO(manual, .clock = MICRO_MANUAL, .iterations = 7)
{
    MICRO_LOOP (micro) {
        rest();
        micro_add_ns(micro, MANUAL_NS);
    }
}

MICRO(counted)
{
    double passes = 0;
    MICRO_LOOP (micro)
        passes++;
    micro_count(micro, "total", 12, MICRO_TOTAL);
    micro_count(micro, "each_iteration", passes, MICRO_EACH_ITERATION);
    micro_count(micro, "each_second", passes, MICRO_EACH_SECOND);
}

MICRO(batched)
{
    double passes = 0;
    while (micro_runs(micro, 1000))
        passes += 1000;
    micro_count(micro, "each_iteration", passes, MICRO_EACH_ITERATION);
}

MICRO(paused, .clock = MICRO_WALL, .iterations = 5)
{
    MICRO_LOOP (micro) {
        micro_pause(micro);
        rest();
        micro_resume(micro);
    }
}

MICRO(failing)
{
    micro_fail(micro, "as it should");
}
