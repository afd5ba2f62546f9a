/*
 * A thread takes part with three operations at least: its start, a call, its end.
 */
#include "synth_output.h"

#include "pages.h"

bool synth_output_open(struct synth_output *output, struct trace_writer *writer, uint64_t ops,
                       uint64_t threads, bool ends)
{
    *output = (struct synth_output){
        .writer = writer, .wanted = ops, .peak = threads, .ends = ends && ops > 2};
    output->numbers = pages_map(threads * sizeof *output->numbers);
    return output->numbers != NULL;
}

void synth_output_close(struct synth_output *output)
{
    pages_unmap(output->numbers, output->peak * sizeof *output->numbers);
}

/* Whether there are operations enough for every thread to start, make a call and end. */
static bool has_all(const struct synth_output *output)
{
    return output->wanted / 3 >= output->peak;
}

/* Operations that may still be written: the rest is for the ends of threads, and for the starts of
   those that come to no call, if there is room for all of them. */
static uint64_t room(const struct synth_output *output)
{
    uint64_t idle = has_all(output) ? output->peak - output->started : 0;
    return output->wanted - output->ops - idle - (output->ends ? output->started + idle : 0);
}

static bool op_write(struct synth_output *output, struct trace_op *op)
{
    output->ops++;
    output->time_ns += output->ns_an_op;
    op->time_ns = (uint64_t)output->time_ns;
    return trace_writer_add(output->writer, op);
}

static bool thread_start(struct synth_output *output, uint32_t thread)
{
    struct trace_op start = {.kind = TRACE_THREAD_START, .slot = TRACE_NO_SLOT};
    start.thread = output->started++;
    output->numbers[thread] = output->started;
    return op_write(output, &start);
}

bool synth_output_put(struct synth_output *output, struct trace_op *op, uint32_t thread)
{
    uint64_t needed = output->ends ? 3 : 2;
    bool has_room = has_all(output) ? room(output) > 0 : room(output) >= needed;
    if (output->numbers[thread] == 0 && (has_room || output->started == 0)) {
        if (!thread_start(output, thread))
            return false;
    }
    if (room(output) == 0)
        return false;
    output->callers = output->started;
    op->thread = output->numbers[thread] == 0 ? output->started - 1 : output->numbers[thread] - 1;
    return op_write(output, op);
}

bool synth_output_end(struct synth_output *output)
{
    uint32_t thread = 0;
    while (has_all(output) && output->started < output->peak) {
        while (output->numbers[thread] != 0)
            thread++;
        if (!thread_start(output, thread))
            return false;
    }
    for (uint32_t i = 0; output->ends && i < output->started; i++) {
        struct trace_op end = {.kind = TRACE_THREAD_END, .slot = TRACE_NO_SLOT, .thread = i};
        if (!op_write(output, &end))
            return false;
    }
    return true;
}
