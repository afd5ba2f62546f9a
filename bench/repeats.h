/*
 * Repeats a measurement in copies of this process (fork), one after the other, and keeps the best:
 * each begins with the very same memory, and what was prepared is prepared once. What a copy costs
 * is not measured here.
 */
#ifndef BENCH_REPEATS_H
#define BENCH_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Calls work(state) in n copies. `state` (of `bytes` bytes, its pointers valid in all copies) ends
 * up as the copy left it that is_better prefers to all others. An exit status: that of the first
 * copy that failed, which ends everything.
 */
int repeats_run(uint64_t n, int (*work)(void *state), void *state, size_t bytes,
                bool (*is_better)(const void *state, const void *other));

#endif
