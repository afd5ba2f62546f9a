/* See model_trace.h. The log lies in memory that the child shares, and so outlives it. */
#include "model_trace.h"
#include "workloads/trace.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A run of the longest plan takes seconds, some more under a sanitizer. */
enum { RUN_SECONDS_MAX = 120 };

static struct trace_op trace_op_from_call(const struct model_op *call)
{
    struct trace_op op = {.kind = call->kind, .slot = call->slot, .size = call->size};
    bool makes = call->kind != TRACE_REALLOC;
    if (call->kind == TRACE_CALLOC)
        op.count = call->count;
    if (call->kind == TRACE_ALIGNED_ALLOC)
        op.count = UINT64_C(1) << call->align_log2;
    if (call->failed) {
        op.flags = TRACE_FAILED;
        op.slot = makes ? TRACE_NO_SLOT : op.slot;
    }
    return op;
}

static bool calls_write(struct trace_writer *writer, const struct model_outcome *outcome)
{
    const struct trace_op start = {.kind = TRACE_THREAD_START, .slot = TRACE_NO_SLOT};
    bool written = trace_writer_add(writer, &start);
    for (unsigned i = 0; written && i < outcome->logged; i++) {
        struct trace_op op = trace_op_from_call(&outcome->log[i]);
        written = trace_writer_add(writer, &op);
    }
    return written;
}

/* Writes the log as a trace; what could not be done is in error. */
static bool trace_write(const char *path, const struct model_outcome *outcome,
                        char error[TRACE_ERROR_MAX])
{
    struct trace_writer *writer = trace_writer_open(path, "source=model\n", error);
    if (!writer)
        return false;
    if (calls_write(writer, outcome))
        return trace_writer_finish(writer, "", error);
    snprintf(error, TRACE_ERROR_MAX, "%s", trace_writer_error(writer));
    trace_writer_abandon(writer);
    return false;
}

/* Adds the trace to the message, or why there is none. */
static void tell_trace(const struct model_target *target, const struct model_plan *plan,
                       const struct model_outcome *outcome, char message[MODEL_MESSAGE_MAX])
{
    char path[256];
    char error[TRACE_ERROR_MAX];
    const char *folder = getenv("TMPDIR");
    size_t used = strlen(message);
    snprintf(path, sizeof path, "%.150s/model-%s-%" PRIu64 "-%d.trace", folder ? folder : "/tmp",
             target->name, plan->seed, (int)getpid());
    const char *told = trace_write(path, outcome, error) ? path : error;
    snprintf(message + used, MODEL_MESSAGE_MAX - used, "; trace: %.200s", told);
}

/* Runs in the child: 0 passed, 1 failed. */
static int run_alone(const struct model_target *target, const struct model_plan *plan,
                     struct model_outcome *outcome)
{
    signal(SIGABRT, SIG_DFL); /* not the handler of a test framework */
    signal(SIGSEGV, SIG_DFL);
    alarm(RUN_SECONDS_MAX);
    return model_run(target, plan, outcome) ? 0 : 1;
}

/* Starts the child and waits for it. true: it passed; else outcome->message has something. */
static bool run_in_child(const struct model_target *target, const struct model_plan *plan,
                         struct model_outcome *outcome)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(run_alone(target, plan, outcome));
    if (child < 0 || waitpid(child, &status, 0) != child) {
        snprintf(outcome->message, MODEL_MESSAGE_MAX, "no child to run in");
        return false;
    }
    if (WIFSIGNALED(status))
        snprintf(outcome->message, MODEL_MESSAGE_MAX, "died of %s", strsignal(WTERMSIG(status)));
    else if (status != 0 && outcome->message[0] == '\0')
        snprintf(outcome->message, MODEL_MESSAGE_MAX, "ended with status %d", WEXITSTATUS(status));
    return status == 0;
}

bool model_prove(const struct model_target *target, const struct model_plan *plan,
                 char message[MODEL_MESSAGE_MAX])
{
    /* The operations, and the frees at the end. */
    unsigned log_max = plan->ops + plan->slots;
    size_t bytes = sizeof(struct model_outcome) + log_max * sizeof(struct model_op);
    struct model_outcome *outcome =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED) {
        snprintf(message, MODEL_MESSAGE_MAX, "no memory for the log");
        return false;
    }
    outcome->log_max = log_max;
    bool passed = run_in_child(target, plan, outcome);
    if (!passed) {
        snprintf(message, MODEL_MESSAGE_MAX, "%s, MODEL_SEED=%" PRIu64 ", operation %u: %.200s",
                 target->name, plan->seed, outcome->op, outcome->message);
        tell_trace(target, plan, outcome, message);
    }
    munmap(outcome, bytes);
    return passed;
}
