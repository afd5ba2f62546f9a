/*
 * The model test (model.h) on a private heap and on the public functions, and the model itself: it
 * must find planted faults and leave a trace that ends with them.
 *
 * `MODEL_OPS=N MODEL_SEED=S test_model` runs about N operations on each of the two, from the seed S
 * on. `test_model FAULT` does one run on functions with that fault, which is to fail.
 */
#include "cmocka_all.h"
#include "fake_os.h"
#include "heap_fixture.h"
#include "model_trace.h"
#include "workloads/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One run each, in the order of size: from a heap whose every state is recounted to one where most
   operations meet thousands of live blocks. */
static const struct model_plan plans[] = {
    {.ops = 20000, .slots = 4, .request_max = 40000, .align_max_log2 = 13, .check_every = 1},
    {.ops = 60000, .slots = 40, .request_max = 300, .align_max_log2 = 8, .check_every = 1},
    {.ops = 40000, .slots = 200, .request_max = 5000, .align_max_log2 = 12, .check_every = 1},
    {.ops = 40000, .slots = 60, .request_max = 300000, .align_max_log2 = 16, .check_every = 1},
    {.ops = 10000, .slots = 20, .request_max = 5 << 20, .align_max_log2 = 21, .check_every = 1},
    {.ops = 600000, .slots = 3000, .request_max = 2000, .align_max_log2 = 8, .check_every = 20000},
    {.ops = 600000, .slots = 20000, .request_max = 600, .align_max_log2 = 6, .check_every = 100000},
};

enum { PLANS = sizeof plans / sizeof plans[0] };

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t ops_of_all_plans(void)
{
    uint64_t ops = 0;
    for (size_t i = 0; i < PLANS; i++)
        ops += plans[i].ops;
    return ops;
}

/* Every plan with each seed in turn, until enough was done. */
static void prove(const struct model_target *target)
{
    char message[MODEL_MESSAGE_MAX];
    uint64_t wanted = number_from_environment("MODEL_OPS", 1);
    uint64_t seed = number_from_environment("MODEL_SEED", 1);
    for (uint64_t ops = 0; ops < wanted; ops += ops_of_all_plans(), seed++) {
        for (size_t i = 0; i < PLANS; i++) {
            struct model_plan plan = plans[i];
            plan.seed = seed;
            if (!model_prove(target, &plan, message))
                fail_msg("plan %zu: %s", i, message);
        }
    }
}

static void a_private_heap_follows_the_model(void **state)
{
    (void)state;
    prove(&model_private_heap);
}

static void the_public_functions_follow_the_model(void **state)
{
    (void)state;
    prove(&model_public_functions);
}

/* A resize that forgets a word of what was in the block, when it is larger than most. */
static void *resize_that_forgets(void *p, size_t request)
{
    unsigned char *resized = model_private_heap.resize(p, request);
    if (resized && request > 4000)
        memset(resized, 0, 8);
    return resized;
}

/* Blocks that a sixteenth of the time are smaller than they say. */
static size_t usable_size_that_boasts(void *p)
{
    size_t usable = model_private_heap.usable_size(p);
    return (uintptr_t)p % 4096 < 256 ? usable + 3 * ALIGNMENT : usable;
}

/* Writes behind a block that was freed, as a program might that broke the heap. */
static void release_that_overflows(void *p)
{
    size_t usable = model_private_heap.usable_size(p);
    if (usable > 4000)
        memset(p, 0xff, usable + sizeof(size_t));
    model_private_heap.release(p);
}

static void *allocate_that_crashes(size_t request)
{
    if (request > 4000 && request <= 5000)
        abort();
    return model_private_heap.allocate(request);
}

static struct model_target faulty[4];

static void plant_faults(void)
{
    for (size_t i = 0; i < 4; i++)
        faulty[i] = model_private_heap;
    faulty[0].name = "forgets";
    faulty[0].resize = resize_that_forgets;
    faulty[1].name = "boasts";
    faulty[1].usable_size = usable_size_that_boasts;
    faulty[2].name = "overflows";
    faulty[2].release = release_that_overflows;
    faulty[3].name = "crashes";
    faulty[3].allocate = allocate_that_crashes;
}

static bool prove_faulty(const struct model_target *target, char message[MODEL_MESSAGE_MAX])
{
    const struct model_plan plan = {.seed = number_from_environment("MODEL_SEED", 1),
                                    .ops = 20000,
                                    .slots = 200,
                                    .request_max = 5000,
                                    .align_max_log2 = 12,
                                    .check_every = 1};
    return model_prove(target, &plan, message);
}

/* The operations of the trace at the end of a message, and its last one; the trace is removed. */
static uint64_t take_trace(const char *message, struct trace_op *last)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    char error[TRACE_ERROR_MAX];
    size_t n;
    const char *mark = "trace: ";
    const char *path = strstr(message, mark);
    assert_non_null(path);
    path += strlen(mark);
    struct trace_reader *reader = trace_reader_open(path, error);
    if (!reader)
        fail_msg("%s", error);
    uint64_t count = trace_reader_totals(reader)->ops;
    while (trace_reader_next(reader, ops, &n) && n > 0)
        *last = ops[n - 1];
    trace_reader_close(reader);
    unlink(path);
    return count;
}

static void faults_are_found_and_end_the_trace(void **state)
{
    (void)state;
    const char *what[] = {"realloc lost contents", "overlaps a live block", "overflows",
                          "died of Aborted"};
    /* The operation that the trace ends with, where only one kind can be the one that tells. */
    const enum trace_kind kinds[] = {TRACE_REALLOC, TRACE_KINDS, TRACE_KINDS, TRACE_MALLOC};
    char message[MODEL_MESSAGE_MAX];
    struct trace_op last;
    for (size_t i = 0; i < 4; i++) {
        assert_false(prove_faulty(&faulty[i], message));
        uint64_t ops = take_trace(message, &last);
        assert_true(ops > 10 && ops < 20000);
        assert_non_null(strstr(message, what[i]));
        assert_true(kinds[i] == TRACE_KINDS || last.kind == kinds[i]);
    }
}

static void seeds_repeat(void **state)
{
    (void)state;
    char message[MODEL_MESSAGE_MAX];
    struct trace_op last;
    assert_false(prove_faulty(&faulty[0], message));
    uint64_t ops = take_trace(message, &last);
    assert_false(prove_faulty(&faulty[0], message));
    assert_int_equal(take_trace(message, &last), ops);
}

/* One run with a planted fault, for those who want its trace. */
static int run_with_fault(const char *name)
{
    char message[MODEL_MESSAGE_MAX];
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(faulty[i].name, name) != 0)
            continue;
        if (prove_faulty(&faulty[i], message))
            return 0;
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    fprintf(stderr, "test_model: %s: no such fault\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    fake_os_reset();
    plant_faults();
    if (argc > 1)
        return run_with_fault(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_private_heap_follows_the_model, fresh_heap),
        cmocka_unit_test(the_public_functions_follow_the_model),
        cmocka_unit_test_setup(faults_are_found_and_end_the_trace, fresh_heap),
        cmocka_unit_test_setup(seeds_repeat, fresh_heap),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
