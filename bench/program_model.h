/*
 * A model of what a program does with its blocks between the calls. A replay that makes one call
 * after the other finds the allocator's data in the cache, and does not notice where blocks lie; a
 * program works in between, on just these blocks. The model is the same for all programs:
 *
 * - what is new of a block is written, its first MODEL_WRITTEN bytes;
 * - before a block is freed or resized, its first MODEL_READ bytes are read.
 *
 * Which bytes are accessed depends on the steps alone, so it is the same under all allocators, in
 * all runs, and with any number of threads. Nothing here touches a block that another thread may
 * be freeing.
 */
#ifndef BENCH_PROGRAM_MODEL_H
#define BENCH_PROGRAM_MODEL_H

#include "step_call.h"

enum {
    MODEL_WRITTEN = 1024, /* bytes; fitted, see docs/method.md, as the next one */
    MODEL_READ = 1024,
    MODEL_LINE = 64 /* bytes; of a line one byte is read. All processors that we know have it */
};

/* As step_call, with the program's own accesses before and after the call. */
bool program_model_call(struct slot *table, const uint64_t **at, enum touch touch);

#endif
