/*
 * The accesses are volatile where nobody would miss them: the compiler must not drop them.
 */
#include "program_model.h"

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Lines are counted from the start of the block, wherever that lies: so all allocators do the same
   work. */
static void block_read(const char *block, size_t size)
{
    const volatile char *p = block;
    size_t bytes = least_of(size, MODEL_MOST);
    for (size_t i = 0; i < bytes; i += MODEL_LINE)
        (void)p[i];
}

static void block_write(char *block, size_t from, size_t to)
{
    if (to > from)
        memset(block + from, 1, least_of(to - from, MODEL_MOST));
}

static bool call_make(const struct program_model *model, struct latency_thread *timed,
                      struct slot *table, const uint64_t **at)
{
    int64_t change;
    if (model->latency != NULL)
        return latency_call(model->latency, timed, table, at);
    if (model->touch == TOUCH_RECORDED)
        return touched_call(model->touched, table, at, &change);
    return step_call(table, at, model->touch, &change);
}

bool program_model_call(const struct program_model *model, struct latency_thread *timed,
                        struct slot *table, const uint64_t **at)
{
    const uint64_t *step = *at;
    struct slot *slot = &table[step_slot(*step)];
    enum trace_kind kind = step_kind(*step);
    bool is_told = model->touch == TOUCH_RECORDED;
    size_t had = kind == TRACE_REALLOC ? slot->size : 0;
    if (slot->size > 0 && (kind == TRACE_FREE || kind == TRACE_REALLOC))
        block_read(slot->p, is_told ? touched_before(model->touched, step, slot) : slot->size);
    if (!call_make(model, timed, table, at))
        return false;
    if (slot->size > had)
        block_write(slot->p, had, is_told ? touched_of(model->touched, step, slot) : slot->size);
    return true;
}
