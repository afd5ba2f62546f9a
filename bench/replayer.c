/*
 * The serial loop. One inline function, specialised by its constant arguments.
 */
#include "replayer.h"

#include "own_memory.h"

ALWAYS_INLINE const uint64_t *run(struct replayer *replayer, const uint64_t *at,
                                  const uint64_t *end, enum touch touch, bool counts_live)
{
    struct slot *table = replayer->table;
    while (at != end) {
        int64_t change;
        bool is_done = touch == TOUCH_RECORDED
                           ? touched_call(replayer->touched, table, &at, &change)
                           : step_call(table, &at, touch, &change);
        if (!is_done)
            return at;
        if (!counts_live)
            continue;
        replayer->live += (uint64_t)change;
        if (replayer->live > replayer->peak_live)
            replayer->peak_live = replayer->live;
    }
    return end;
}

/* One function a policy. They are not inlined into each other, so that each has its own branches
   and the processor predicts them alike. */
#define DEFINE_RUN(name, touch, counts_live)                                                       \
    static __attribute__((noinline)) const uint64_t *name(struct replayer *replayer,               \
                                                          const uint64_t *at, const uint64_t *end) \
    {                                                                                              \
        return run(replayer, at, end, touch, counts_live);                                         \
    }

DEFINE_RUN(run_none, TOUCH_NONE, false)
DEFINE_RUN(run_first, TOUCH_FIRST, false)
DEFINE_RUN(run_page, TOUCH_PAGE, false)
DEFINE_RUN(run_all, TOUCH_ALL, false)
DEFINE_RUN(run_recorded, TOUCH_RECORDED, false)
DEFINE_RUN(run_none_live, TOUCH_NONE, true)
DEFINE_RUN(run_first_live, TOUCH_FIRST, true)
DEFINE_RUN(run_page_live, TOUCH_PAGE, true)
DEFINE_RUN(run_all_live, TOUCH_ALL, true)
DEFINE_RUN(run_recorded_live, TOUCH_RECORDED, true)

typedef const uint64_t *run_function(struct replayer *, const uint64_t *, const uint64_t *);

static run_function *const runs[2][TOUCH_RECORDED + 1] = {
    {run_none, run_first, run_page, run_all, run_recorded},
    {run_none_live, run_first_live, run_page_live, run_all_live, run_recorded_live},
};

static const uint64_t *run_checked(struct replayer *replayer, const uint64_t *at,
                                   const uint64_t *end)
{
    uint64_t random = 0;
    while (at != end && checker_call(replayer->checker, replayer->table, &at, &random))
        continue;
    return at;
}

static const uint64_t *run_timed(struct replayer *replayer, const uint64_t *at, const uint64_t *end)
{
    while (at != end && latency_call(replayer->latency, &replayer->timed, replayer->table, &at))
        continue;
    return at;
}

static const uint64_t *run_modelled(struct replayer *replayer, const uint64_t *at,
                                    const uint64_t *end)
{
    struct program_model model = {
        .touch = replayer->touch, .touched = replayer->touched, .latency = replayer->latency};
    while (at != end && program_model_call(&model, &replayer->timed, replayer->table, &at))
        continue;
    return at;
}

static run_function *function_of(const struct replayer *replayer)
{
    if (replayer->checker)
        return run_checked;
    if (replayer->models_program)
        return run_modelled;
    return replayer->latency ? run_timed : runs[replayer->counts_live][replayer->touch];
}

bool replayer_open(struct replayer *replayer, uint32_t last, enum touch touch, bool counts_live)
{
    size_t slots = (size_t)last + 1;
    struct slot *table = own_memory_map(slots * sizeof(*table));
    *replayer = (struct replayer){
        .table = table, .slots = slots, .touch = touch, .counts_live = counts_live};
    return table != NULL;
}

void replayer_touch(struct replayer *replayer)
{
    own_memory_touch(replayer->table, replayer->slots * sizeof(*replayer->table));
}

void replayer_close(struct replayer *replayer)
{
    own_memory_unmap(replayer->table, replayer->slots * sizeof(*replayer->table));
    replayer->table = NULL;
}

const uint64_t *replayer_run(struct replayer *replayer, const uint64_t *at, const uint64_t *end)
{
    run_function *function = function_of(replayer);
    struct cost before = cost_before();
    const uint64_t *reached = function(replayer, at, end);
    struct cost after = cost_after();
    cost_add(&replayer->cost, &before, &after);
    return reached;
}

void replayer_drain(struct replayer *replayer)
{
    for (size_t i = 0; i < replayer->slots; i++) {
        free(replayer->table[i].p);
        replayer->table[i] = (struct slot){NULL, 0};
    }
    replayer->live = 0;
}
