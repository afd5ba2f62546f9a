/*
 * The threads of a replay and the parts of a trace: threads stay from part to part, asleep while
 * the next one is decoded. All memory here is the harness's and faulted in before the clock starts.
 */
#include "lanes.h"

#include "own_memory.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

enum { STACK_TOP = 32 << 10 }; /* of a stack, faulted in: thread locals and what calls need */

static_assert(sizeof(struct lane) <= TOUCH_STEP, "a lane is on the first page of its stack");

static uint64_t thread_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Threads that wait for a next part see that all is given up. */
static void lanes_join(struct lanes *lanes)
{
    pace_give_up(&lanes->pace);
    for (uint32_t i = 1; i < lanes->lane_count; i++)
        if (lanes->lane[i]->has_id)
            pthread_join(lanes->lane[i]->id, NULL);
}

void lanes_close(struct lanes *lanes)
{
    lanes_join(lanes);
    for (uint32_t i = 0; i < lanes->lane_count; i++)
        own_memory_unmap(lanes->lane[i], LANE_STACK_BYTES);
    own_memory_unmap(lanes->lane, lanes->lanes_capacity * sizeof(*lanes->lane));
    own_memory_unmap(lanes->table, lanes->slots_capacity * sizeof(*lanes->table));
    own_memory_unmap(lanes->figures, lanes->figures_capacity * sizeof(*lanes->figures));
}

/* The table grows by whole mappings, each of them touched. */
static bool table_make_room(struct lanes *lanes)
{
    size_t had = lanes->slots_capacity;
    if (!own_memory_reserve((void **)&lanes->table, &lanes->slots_capacity, sizeof(struct slot),
                            lanes->streams->slots))
        return false;
    own_memory_touch(lanes->table + had, (lanes->slots_capacity - had) * sizeof(struct slot));
    return true;
}

static bool figures_make_room(struct lanes *lanes)
{
    size_t had = lanes->figures_capacity;
    size_t threads = lanes->streams->threads;
    if (!own_memory_reserve((void **)&lanes->figures, &lanes->figures_capacity,
                            sizeof(struct thread_figures), threads ? threads : 1))
        return false;
    own_memory_touch(lanes->figures + had,
                     (lanes->figures_capacity - had) * sizeof(struct thread_figures));
    return true;
}

static bool lane_add(struct lanes *lanes)
{
    char *stack = own_memory_map_stack(LANE_STACK_BYTES, STACK_TOP);
    if (stack == NULL)
        return false;
    struct lane *lane = (struct lane *)(void *)stack;
    lane->lanes = lanes;
    lane->number = lanes->lane_count;
    gate_open(&lane->gate);
    latency_thread_begin(lanes->latency, &lane->timed, 0);
    lanes->lane[lanes->lane_count++] = lane;
    return true;
}

bool lanes_make_room(struct lanes *lanes)
{
    if (!own_memory_reserve((void **)&lanes->lane, &lanes->lanes_capacity, sizeof(struct lane *),
                            lanes->streams->lanes))
        return false;
    while (lanes->lane_count < lanes->streams->lanes)
        if (!lane_add(lanes))
            return false;
    return table_make_room(lanes) && figures_make_room(lanes);
}

void lanes_touch(struct lanes *lanes)
{
    const struct streams *streams = lanes->streams;
    own_memory_touch(lanes->table, lanes->slots_capacity * sizeof(*lanes->table));
    own_memory_touch(lanes->figures, lanes->figures_capacity * sizeof(*lanes->figures));
    own_memory_touch(streams->epoch, streams->epochs_capacity * sizeof(*streams->epoch));
    for (uint32_t i = 0; i < lanes->lane_count; i++) {
        char *stack = (char *)lanes->lane[i];
        own_memory_touch(stack, TOUCH_STEP);
        own_memory_touch(stack + LANE_STACK_BYTES - STACK_TOP, STACK_TOP);
    }
}

static void lanes_announce(struct mark *mark, uint64_t count, struct gate *gate)
{
    mark_raise(mark, count);
    mark_tell(mark, gate);
}

/* The thread has come to the end of the part, or to its own. */
static void lane_stop(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    struct thread_figures *figures = &lanes->figures[lane->thread];
    if (!atomic_load(&lanes->pace.given_up))
        figures->ops += lanes->streams->thread[lane->thread].ops;
    figures->wait_ns += lane->waited.wait_ns;
    figures->cpu_ns += thread_cpu_ns() - lane->began_cpu_ns - lane->waited.spin_ns;
    figures->call_cycles += lane->timed.cycles;
    lane->waited = (struct waited){0};
    if (lanes->latency)
        latency_thread_end(lanes->latency, &lane->timed);
    if (atomic_fetch_sub(&lanes->running, 1) == 1)
        lanes_announce(&lanes->stopped, atomic_load(&lanes->parts.reached), &lanes->stopped_gate);
}

/* true: the thread goes on in the next part. */
static bool lane_run_part(struct lane *lane)
{
    lane->began_cpu_ns = thread_cpu_ns();
    bool goes_on = lane_run(lane);
    lane_stop(lane);
    return goes_on;
}

static bool lane_await_part(struct lane *lane, uint64_t part)
{
    struct lanes *lanes = lane->lanes;
    struct waited between; /* not for each other */
    return mark_has(&lanes->parts, part) ||
           mark_await(&lanes->parts, part, &lanes->parts_gate, &lanes->pace, &between);
}

static void *lane_main(void *data)
{
    struct lane *lane = data;
    uint64_t part = atomic_load(&lane->lanes->parts.reached);
    bool goes_on = true;
    while (goes_on) {
        goes_on = lane_run_part(lane) && lane_await_part(lane, ++part);
    }
    return NULL;
}

bool lanes_open(struct lanes *lanes, struct streams *streams, enum touch touch, bool counts_live)
{
    *lanes = (struct lanes){
        .streams = streams, .touch = touch, .counts_live = counts_live, .thread_main = lane_main};
    gate_open(&lanes->parts_gate);
    gate_open(&lanes->stopped_gate);
    for (unsigned i = 0; i < LANES_GATES; i++)
        gate_open(&lanes->gates[i]);
    return lanes_make_room(lanes);
}

/* All that is set before a part begins, while every thread sleeps. */
static void part_prepare(struct lanes *lanes)
{
    uint32_t running = 0;
    atomic_store(&lanes->epochs_done.reached, 0);
    for (uint32_t i = 0; i < lanes->lane_count; i++) {
        struct lane *lane = lanes->lane[i];
        bool is_there = i == 0 || (lane->has_id && !lane->has_ended);
        atomic_store(&lane->done.reached, 0);
        if (!is_there)
            continue;
        lane->at = lane_stream(lanes, lane->thread);
        running++;
    }
    atomic_store(&lanes->running, running);
    pace_open(&lanes->pace, lanes->lane_count);
}

static void lanes_join_ended(struct lanes *lanes)
{
    for (uint32_t i = 1; i < lanes->lane_count; i++) {
        struct lane *lane = lanes->lane[i];
        if (lane->has_id && lane->has_ended) {
            pthread_join(lane->id, NULL);
            lane->has_id = false;
        }
    }
}

static void figures_sum(struct lanes *lanes)
{
    lanes->ops = 0;
    lanes->wait_ns = 0;
    for (uint32_t i = 0; i < lanes->streams->threads; i++) {
        lanes->ops += lanes->figures[i].ops;
        lanes->wait_ns += lanes->figures[i].wait_ns;
    }
}

bool lanes_run_part(struct lanes *lanes)
{
    struct waited at_end; /* not for each other */
    struct pace patient = {.spins = 0};
    uint64_t part = atomic_load(&lanes->parts.reached) + 1;
    if (lanes->streams->threads == 0)
        return true;
    part_prepare(lanes);
    lanes->paused = (struct paused){0};
    struct cost before = cost_before();
    lanes_announce(&lanes->parts, part, &lanes->parts_gate);
    lane_run_part(lanes->lane[0]);
    if (!mark_has(&lanes->stopped, part))
        mark_await(&lanes->stopped, part, &lanes->stopped_gate, &patient, &at_end);
    lanes_join_ended(lanes);
    struct cost after = cost_after();
    cost_add(&lanes->cost, &before, &after);
    cost_subtract(&lanes->cost, &lanes->paused.cost);
    lanes->pauses += lanes->paused.count;
    lanes->paused_ns += lanes->paused.cost.real_time_ns;
    figures_sum(lanes);
    return !atomic_load(&lanes->has_failed);
}

void lanes_drain(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->slots_capacity; i++) {
        free(lanes->table[i].p);
        lanes->table[i] = (struct slot){NULL, 0};
    }
    atomic_store(&lanes->live, 0);
}

uint64_t lanes_failure_index(const struct lanes *lanes)
{
    const struct lanes_failure *failure = &lanes->failure;
    const uint64_t *at = lane_stream(lanes, failure->thread);
    uint64_t n = lanes->figures[failure->thread].ops;
    while (at != failure->at) {
        enum trace_kind kind = step_kind(*at);
        if ((int)kind == STEP_JUMP) {
            at = lanes->streams->words + at[1];
        } else if (kind < TRACE_THREAD_START) {
            step_take(&at);
            n++;
        } else {
            at += (int)kind == STEP_EPOCH || (int)kind == STEP_PAUSE ? 1 : 2;
        }
    }
    return n;
}
