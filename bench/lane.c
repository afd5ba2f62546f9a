/* A thread of a replay, see lane.h. */
#include "lane.h"

int lane_start(struct lane *lane, uint32_t thread)
{
    pthread_attr_t attributes;
    if (lane->has_id)
        pthread_join(lane->id, NULL);
    lane->has_id = false;
    lane->has_ended = false;
    lane->has_epoch = false;
    lane->thread = thread;
    lane->random = thread;
    latency_thread_begin(lane->lanes->latency, &lane->timed, thread);
    lane->at = lane_stream(lane->lanes, thread);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, (char *)lane + TOUCH_STEP, LANE_STACK_BYTES - TOUCH_STEP);
    int error = pthread_create(&lane->id, &attributes, lane->lanes->thread_main, lane);
    pthread_attr_destroy(&attributes);
    lane->has_id = error == 0;
    return error;
}

/* Goes to the others as the reason why the replay ends. Only the first reason counts. */
static void lane_fail(struct lane *lane, const uint64_t *at, int error)
{
    struct lanes *lanes = lane->lanes;
    if (!atomic_exchange(&lanes->has_failed, true))
        lanes->failure = (struct lanes_failure){.at = at, .thread = lane->thread, .error = error};
    pace_give_up(&lanes->pace);
}

static void lanes_tell(struct lanes *lanes, uint64_t ops)
{
    if (lanes->epoch_is_done == NULL || atomic_exchange(&lanes->is_told, true))
        return;
    lanes->epoch_is_done(lanes->data, ops);
    atomic_store(&lanes->is_told, false);
}

/* Moves the mark over all epochs that nobody is in any more. Whoever does so last does it. */
static void epochs_advance(struct lanes *lanes)
{
    const struct streams *streams = lanes->streams;
    uint64_t done = atomic_load(&lanes->epochs_done.reached);
    while (done < streams->epochs && atomic_load(&streams->epoch[done].left) == 0) {
        if (!atomic_compare_exchange_strong(&lanes->epochs_done.reached, &done, done + 1))
            continue;
        done++;
        mark_tell(&lanes->epochs_done, &lanes->gates[done % LANES_GATES]);
        lanes_tell(lanes, streams->epoch[done - 1].ops);
    }
}

static void lane_leave_epoch(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    if (lane->has_epoch && atomic_fetch_sub(&lanes->streams->epoch[lane->epoch].left, 1) == 1)
        epochs_advance(lanes);
    lane->has_epoch = false;
}

/* Waits for a mark that others raise, who may be waiting for this lane's. To wait for the end of a
   pause is no waiting for each other. */
static bool lane_await(struct lane *lane, const struct mark *mark, uint64_t count,
                       struct gate *gate)
{
    if (mark_has(mark, count))
        return true;
    struct waited waited = {0};
    uint64_t paused_ns = atomic_load(&lane->lanes->pausing_ns);
    mark_tell(&lane->done, &lane->gate);
    bool has = mark_await(mark, count, gate, &lane->lanes->pace, &waited);
    paused_ns = atomic_load(&lane->lanes->pausing_ns) - paused_ns;
    lane->waited.wait_ns += waited.wait_ns > paused_ns ? waited.wait_ns - paused_ns : 0;
    lane->waited.spin_ns += waited.spin_ns;
    return has;
}

static bool lane_enter_epoch(struct lane *lane, uint64_t word)
{
    struct lanes *lanes = lane->lanes;
    uint32_t epoch = step_slot(word);
    bool is_alone = word >> STEP_SIZE_SHIFT;
    uint32_t ahead = is_alone ? 1 : STREAMS_EPOCHS_AHEAD;
    uint64_t needed = epoch + 1 > ahead ? epoch + 1 - ahead : 0;
    lane_leave_epoch(lane);
    lane->epoch = epoch;
    lane->has_epoch = true;
    return lane_await(lane, &lanes->epochs_done, needed, &lanes->gates[needed % LANES_GATES]);
}

static bool lane_wait(struct lane *lane, const uint64_t *at)
{
    struct lane *other = lane->lanes->lane[step_slot(at[0])];
    return lane_await(lane, &other->done, at[1] + 1, &other->gate);
}

/* By its epochs, nobody else does a step meanwhile. */
static void lane_pause(struct lane *lane, uint32_t ms)
{
    struct lanes *lanes = lane->lanes;
    mark_tell(&lane->done, &lane->gate);
    pause_make(&lanes->paused, ms);
    atomic_store(&lanes->pausing_ns, lanes->paused_ns + lanes->paused.cost.real_time_ns);
}

static bool lane_spawn(struct lane *lane, const uint64_t *at)
{
    struct lanes *lanes = lane->lanes;
    atomic_fetch_add(&lanes->running, 1);
    int error = lane_start(lanes->lane[step_slot(at[0])], (uint32_t)at[1]);
    if (error == 0)
        return true;
    atomic_fetch_sub(&lanes->running, 1);
    lane_fail(lane, NULL, error);
    return false;
}

/* The step at `at`, which is none of malloc's family. Where to go on; NULL: here is the end. */
static __attribute__((noinline)) const uint64_t *lane_control(struct lane *lane, const uint64_t *at)
{
    switch ((int)step_kind(*at)) {
    case STEP_JUMP:
        mark_tell(&lane->done, &lane->gate);
        return lane->lanes->streams->words + at[1];
    case STEP_EPOCH:
        return lane_enter_epoch(lane, *at) ? at + 1 : NULL;
    case STEP_WAIT:
        return lane_wait(lane, at) ? at + 2 : NULL;
    case STEP_SPAWN:
        return lane_spawn(lane, at) ? at + 2 : NULL;
    case STEP_PAUSE:
        lane_pause(lane, step_slot(*at));
        return at + 1;
    default:
        lane->has_ended = step_kind(*at) == TRACE_THREAD_END;
        lane_leave_epoch(lane);
        mark_tell(&lane->done, &lane->gate);
        return NULL;
    }
}

static void live_count(struct lanes *lanes, int64_t change)
{
    int64_t live = atomic_fetch_add(&lanes->live, change) + change;
    int64_t peak = atomic_load(&lanes->peak_live);
    while (live > peak && !atomic_compare_exchange_weak(&lanes->peak_live, &peak, live))
        continue;
}

/* What is done with each call; where it is checked, timed or modelled, that is the matter of
   checker.h, latency.h or program_model.h. */
enum work { MAKES, COUNTS_LIVE, CHECKS, TIMES, MODELS };

static bool modelled_call(struct lane *lane, struct slot *table, const uint64_t **at)
{
    const struct lanes *lanes = lane->lanes;
    struct program_model model = {
        .touch = lanes->touch, .touched = lanes->touched, .latency = lanes->latency};
    return program_model_call(&model, &lane->timed, table, at);
}

ALWAYS_INLINE bool call_do(struct lane *lane, struct slot *table, const uint64_t **at,
                           enum work work, enum touch touch)
{
    struct lanes *lanes = lane->lanes;
    int64_t change;
    if (work == CHECKS)
        return checker_call(lanes->checker, table, at, &lane->random);
    if (work == TIMES)
        return latency_call(lanes->latency, &lane->timed, table, at);
    if (work == MODELS)
        return modelled_call(lane, table, at);
    bool is_done = touch == TOUCH_RECORDED ? touched_call(lanes->touched, table, at, &change)
                                           : step_call(table, at, touch, &change);
    if (!is_done)
        return false;
    if (work == COUNTS_LIVE)
        live_count(lanes, change);
    return true;
}

ALWAYS_INLINE void run(struct lane *lane, enum work work, enum touch touch)
{
    struct slot *table = lane->lanes->table;
    const uint64_t *at = lane->at;
    while (at != NULL) {
        uint64_t word = *at;
        if (step_kind(word) >= TRACE_THREAD_START) {
            at = lane_control(lane, at);
            continue;
        }
        if (!call_do(lane, table, &at, work, touch)) {
            lane_fail(lane, at, 0);
            return;
        }
        if (word & STEP_PUBLISHES)
            mark_raise(&lane->done, (uint64_t)(at - lane->lanes->streams->words));
    }
}

/* One function a policy, as in replayer.c. */
#define DEFINE_RUN(name, work, touch)                                                              \
    static __attribute__((noinline)) void name(struct lane *lane)                                  \
    {                                                                                              \
        run(lane, work, touch);                                                                    \
    }

DEFINE_RUN(run_none, MAKES, TOUCH_NONE)
DEFINE_RUN(run_first, MAKES, TOUCH_FIRST)
DEFINE_RUN(run_page, MAKES, TOUCH_PAGE)
DEFINE_RUN(run_all, MAKES, TOUCH_ALL)
DEFINE_RUN(run_recorded, MAKES, TOUCH_RECORDED)
DEFINE_RUN(run_none_live, COUNTS_LIVE, TOUCH_NONE)
DEFINE_RUN(run_first_live, COUNTS_LIVE, TOUCH_FIRST)
DEFINE_RUN(run_page_live, COUNTS_LIVE, TOUCH_PAGE)
DEFINE_RUN(run_all_live, COUNTS_LIVE, TOUCH_ALL)
DEFINE_RUN(run_recorded_live, COUNTS_LIVE, TOUCH_RECORDED)
DEFINE_RUN(run_checked, CHECKS, TOUCH_NONE)
DEFINE_RUN(run_timed, TIMES, TOUCH_NONE)
DEFINE_RUN(run_modelled, MODELS, TOUCH_NONE)

typedef void run_function(struct lane *);

static run_function *const runs[2][TOUCH_RECORDED + 1] = {
    {run_none, run_first, run_page, run_all, run_recorded},
    {run_none_live, run_first_live, run_page_live, run_all_live, run_recorded_live},
};

static run_function *function_of(const struct lanes *lanes)
{
    if (lanes->checker)
        return run_checked;
    if (lanes->models_program)
        return run_modelled;
    return lanes->latency ? run_timed : runs[lanes->counts_live][lanes->touch];
}

bool lane_run(struct lane *lane)
{
    function_of(lane->lanes)(lane);
    if (atomic_load(&lane->lanes->pace.given_up))
        lane->has_ended = true;
    return !lane->has_ended;
}
