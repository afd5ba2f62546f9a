/*
 * The workloads that exist: one line each, in the order of the list. X(NAME) stands for the struct
 * workload_NAME that a file in synthetic/ defines.
 */
#include "workload.h"

#include <string.h>

#define WORKLOADS(X)                                                                               \
    X(larson)                                                                                      \
    X(xmalloc)                                                                                     \
    X(cache_scratch)                                                                               \
    X(cache_thrash)                                                                                \
    X(mstress)                                                                                     \
    X(mleak)                                                                                       \
    X(threadtest)                                                                                  \
    X(linux_scalability)                                                                           \
    X(batch_lifo)                                                                                  \
    X(batch_fifo)                                                                                  \
    X(replace_10k)                                                                                 \
    X(replace_log)                                                                                 \
    X(replace_pareto)                                                                              \
    X(replace_large)                                                                               \
    X(heap_shuffle)                                                                                \
    X(large_blocks)                                                                                \
    X(calloc_large)                                                                                \
    X(large_traffic)                                                                               \
    X(vector)                                                                                      \
    X(string_builder)                                                                              \
    X(rope)                                                                                        \
    X(tree)                                                                                        \
    X(phases)                                                                                      \
    X(sawtooth)                                                                                    \
    X(ramp)                                                                                        \
    X(ripples)                                                                                     \
    X(cfrac_like)                                                                                  \
    X(espresso_like)                                                                               \
    X(realloc_pingpong)                                                                            \
    X(aligned)                                                                                     \
    X(profile)                                                                                     \
    X(robson)                                                                                      \
    X(first_fit_bad)                                                                               \
    X(best_fit_bad)                                                                                \
    X(page_pins)                                                                                   \
    X(stress)

#define DECLARE(name) extern const struct workload workload_##name;
#define REFER(name)   &workload_##name,

WORKLOADS(DECLARE)

const struct workload *const workloads[] = {WORKLOADS(REFER) NULL};

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; workloads[i] != NULL; i++)
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    return NULL;
}
