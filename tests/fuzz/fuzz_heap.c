/*
 * See fuzz_heap.h. The private heap begins empty each time. The public one is as the last run left
 * it, since there is no other way to have it: each run is a thread of its own, whose front goes
 * home at its end, so that blocks do not pile up from run to run.
 */
#include "fuzz_heap.h"

#include "tests/fake_os.h"
#include "tests/heap_fixture.h"
#include "tests/model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What the first bytes say. */
enum { BYTE_SHAPE, BYTE_MAPS, BYTE_UNMAPS, BYTES_FIRST };
/* Bits of the shape. */
enum { SHAPE_PUBLIC = 1, SHAPE_LARGE = 2, SHAPE_FAILS_ON = 4, SHAPE_SLOTS_SHIFT = 3 };
/* A call beyond these fails never. */
enum { FAILING_CALLS = 64 };

static long fails_in(uint8_t byte)
{
    return byte < FAILING_CALLS ? byte : FAKE_OS_NEVER;
}

struct run {
    const struct model_target *target;
    const struct model_plan *plan;
    struct model_outcome *outcome;
    bool passed;
};

static void *run_model(void *argument)
{
    struct run *run = argument;
    run->passed = model_run(run->target, run->plan, run->outcome);
    return NULL;
}

static void run_in_a_thread(struct run *run)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_model, run) != 0 || pthread_join(thread, NULL) != 0) {
        fputs("fuzz_heap: no thread\n", stderr);
        abort();
    }
}

bool fuzz_heap(const uint8_t *bytes, size_t count, char message[FUZZ_MESSAGE_MAX])
{
    struct model_outcome outcome = {.log_max = 0};
    if (count < BYTES_FIRST)
        return true;
    unsigned shape = bytes[BYTE_SHAPE];
    const struct model_plan plan = {
        .bytes = bytes + BYTES_FIRST,
        .bytes_count = count - BYTES_FIRST,
        .ops = UINT32_MAX,
        .slots = 4U << (shape >> SHAPE_SLOTS_SHIFT) % 8,
        .request_max = shape & SHAPE_LARGE ? 1 << 20 : 1 << 13,
        .align_max_log2 = shape & SHAPE_LARGE ? 18 : 12,
        .check_every = 1,
        .out_of_memory = true,
    };
    fake_os.map_fails_in = fails_in(bytes[BYTE_MAPS]);
    fake_os.unmap_fails_in = fails_in(bytes[BYTE_UNMAPS]);
    fake_os.fails_on = shape & SHAPE_FAILS_ON;
    struct run run = {.plan = &plan, .outcome = &outcome};
    if (shape & SHAPE_PUBLIC) {
        run.target = &model_public_functions;
        run_in_a_thread(&run);
    } else {
        run.target = &model_private_heap;
        run_model(&run);
    }
    fake_os.map_fails_in = fake_os.unmap_fails_in = FAKE_OS_NEVER;
    drop_heap();
    snprintf(message, FUZZ_MESSAGE_MAX, "operation %u: %s", outcome.op, outcome.message);
    return run.passed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char message[FUZZ_MESSAGE_MAX];
    if (!fuzz_heap(bytes, count, message)) {
        fprintf(stderr, "fuzz_heap: %s\n", message);
        abort();
    }
    return 0;
}
