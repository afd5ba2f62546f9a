/*
 * A model of what a program does with its blocks between the calls. A replay that makes one call
 * after the other finds the allocator's data in the cache, and does not notice where blocks lie; a
 * program works in between, on just these blocks. The model is the same for all programs:
 *
 * - what is new of a block is written, at most MODEL_MOST bytes of it;
 * - before a block is freed or resized, each of its lines is read, in at most MODEL_MOST bytes.
 *
 * Where the trace tells how much of a block the program touched, and that is asked for, neither
 * goes beyond these bytes.
 *
 * Which bytes are accessed depends on the steps alone, so it is the same under all allocators, in
 * all runs, and with any number of threads. Nothing here touches a block that another thread may
 * be freeing.
 */
#ifndef BENCH_PROGRAM_MODEL_H
#define BENCH_PROGRAM_MODEL_H

#include "latency.h"
#include "touched.h"

enum {
    MODEL_MOST = 64 << 10, /* bytes; fitted, see docs/method.md */
    MODEL_LINE = 64        /* bytes; of x86-64 and of most AArch64 */
};

struct program_model {
    enum touch touch;              /* beyond what the model writes: TOUCH_PAGE or TOUCH_RECORDED */
    const struct touched *touched; /* valid if TOUCH_RECORDED */
    struct latency *latency;       /* times the calls alone; NULL: none */
};

/* As step_call, with the program's own accesses before and after the call; `timed` is the thread's
   part of the latencies. */
bool program_model_call(const struct program_model *model, struct latency_thread *timed,
                        struct slot *table, const uint64_t **at);

#endif
