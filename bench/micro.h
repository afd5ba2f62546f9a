/*
 * Micro-benchmarks in C: the small part of Google Benchmark that they need, without C++. A
 * benchmark is a function that MICRO puts into the program's list before main:
 *
 *     MICRO(pair, .arguments = {MICRO_LIST(8, 64, 512)})
 *     {
 *         size_t size = (size_t)micro_argument(micro, 0);
 *         MICRO_LOOP(micro)
 *             free(malloc(size));
 *     }
 *
 * It runs several times, each time for a number of iterations that is not known to it. What an
 * iteration is, the benchmark decides; times are told by iteration.
 */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MICRO_DIMENSIONS = 2 };

/* One thread's share of one run of a benchmark. */
struct micro;

struct micro_list {
    const int64_t *values;
    size_t count;
};

/* first, first * factor, ... and last. */
struct micro_range {
    int64_t first;
    int64_t last;
    int factor;
};

/* Whose time decides how long a benchmark runs and stands first: the calling thread's CPU time,
   the clock on the wall, or what the benchmark says with micro_add_ns. */
enum micro_clock { MICRO_CPU, MICRO_WALL, MICRO_MANUAL };

enum micro_counter {
    MICRO_TOTAL,
    MICRO_EACH_SECOND,    /* divided by the run's time */
    MICRO_EACH_ITERATION, /* divided by the iterations */
};

/* A benchmark; zero wherever nothing is said. It must stay where it is. */
struct micro_benchmark {
    const char *name;
    void (*run)(struct micro *micro);
    void (*setup)(const struct micro *micro);      /* once a run, before its threads start */
    void (*teardown)(const struct micro *micro);   /* once a run, when they have ended */
    struct micro_list arguments[MICRO_DIMENSIONS]; /* each combination is run */
    struct micro_range range;                      /* arguments as well; not beside `arguments` */
    struct micro_list threads;                     /* numbers of threads to run with; empty: 1 */
    enum micro_clock clock;
    int64_t iterations; /* of a run; 0: as many as the time that was asked for allows */
};

/* Releases of clang-format break these braces differently. */
/* clang-format off */
#define MICRO_LIST(...)                                                                            \
    {(const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)}
/* clang-format on */

/* MICRO(name, .member = value ...) { body }: a benchmark whose body has `micro`. */
#define MICRO(function, ...)                                                                       \
    static void function(struct micro *micro);                                                     \
    static const struct micro_benchmark function##_benchmark = {                                   \
        .name = #function, .run = function, ##__VA_ARGS__};                                        \
    __attribute__((constructor)) static void function##_register(void)                             \
    {                                                                                              \
        micro_register(&function##_benchmark);                                                     \
    }                                                                                              \
    static void function(struct micro *micro)

/* A statement between the two loops of MICRO_LOOP, without which gcc does not unroll the inner. */
static inline void micro_batch_end(void)
{
    __asm__ volatile("");
}

/*
 * Runs the statement that follows once an iteration. Exactly one such loop, or one loop over
 * micro_runs, must be run to its end in each benchmark, unless micro_fail was called. Unrolled, a
 * loop around nothing takes a quarter of a cycle an iteration.
 */
#define MICRO_LOOP(micro)                                                                          \
    for (size_t micro_left; (micro_left = micro_batch(micro)) > 0; micro_batch_end())              \
    _Pragma("GCC unroll 4") for (; micro_left > 0; micro_left--)

void micro_register(const struct micro_benchmark *benchmark);

/* The number of iterations to run before asking again; 0: the run is over. Between the first call
   and the last the clock runs. It asks so seldom that the call costs nothing that shows. */
size_t micro_batch(struct micro *micro);
/* The same where the benchmark decides: true: `iterations` are to be run. */
bool micro_runs(struct micro *micro, size_t iterations);

int64_t micro_argument(const struct micro *micro, size_t dimension);
/* Which of the run's threads this is, from 0; in setup and teardown it is 0. */
int micro_thread(const struct micro *micro);
int micro_threads(const struct micro *micro);

/* Stops and starts this thread's clock inside the loop; dear, some hundred nanoseconds. */
void micro_pause(struct micro *micro);
void micro_resume(struct micro *micro);
/* Adds to the time of a benchmark with MICRO_MANUAL. */
void micro_add_ns(struct micro *micro, uint64_t ns);

/* A figure beside the times; those of all threads are added up. */
void micro_count(struct micro *micro, const char *name, double value, enum micro_counter kind);
/* The run has failed and has no time; the benchmark must return and never ask for iterations
   again. */
void micro_fail(struct micro *micro, const char *message);

/* For main: a fact for the context of the results. */
void micro_add_context(const char *key, const char *value);
/* For main: runs what the arguments, Google Benchmark's flags, choose; the exit status. */
int micro_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
