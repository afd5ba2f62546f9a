/*
 * Only for replays that ask for it: the others have neither the arrays nor the look at them.
 */
#include "touched.h"

#include "own_memory.h"

static bool make_room(struct touched *touched, size_t word, uint32_t slot)
{
    return own_memory_reserve((void **)&touched->bytes, &touched->capacity, sizeof(uint32_t),
                              word + 1) &&
           own_memory_reserve((void **)&touched->given_up, &touched->given_up_capacity,
                              sizeof(uint32_t), word + 1) &&
           own_memory_reserve((void **)&touched->made_by, &touched->slots_capacity, sizeof(size_t),
                              (size_t)slot + 1);
}

static uint32_t known_bytes(uint64_t present)
{
    return present < TOUCHED_UNKNOWN ? (uint32_t)present : TOUCHED_UNKNOWN;
}

bool touched_add(struct touched *touched, const struct trace_op *op, size_t word)
{
    uint64_t present;
    uint32_t known = TOUCHED_UNKNOWN;
    if (!touched->is_asked || op->slot == TRACE_NO_SLOT)
        return true;
    if (!make_room(touched, word, op->slot))
        return false;
    size_t *made_by = &touched->made_by[op->slot];
    if (trace_op_present(op, &present))
        known = known_bytes(present);
    if (*made_by > 0 && known != TOUCHED_UNKNOWN)
        touched->bytes[*made_by - 1] = known;
    touched->given_up[word] = known;
    touched->bytes[word] = TOUCHED_UNKNOWN;
    *made_by = op->kind == TRACE_FREE || trace_op_frees(op) ? 0 : word + 1;
    return true;
}

void touched_clear(struct touched *touched)
{
    memset(touched->made_by, 0, touched->slots_capacity * sizeof(*touched->made_by));
}

void touched_close(struct touched *touched)
{
    own_memory_unmap(touched->bytes, touched->capacity * sizeof(*touched->bytes));
    own_memory_unmap(touched->given_up, touched->given_up_capacity * sizeof(*touched->given_up));
    own_memory_unmap(touched->made_by, touched->slots_capacity * sizeof(*touched->made_by));
    *touched = (struct touched){0};
}

static size_t least_known(uint32_t bytes, const struct slot *slot)
{
    bool is_known = bytes != TOUCHED_UNKNOWN && bytes < slot->size;
    return is_known ? bytes : slot->size;
}

size_t touched_of(const struct touched *touched, const uint64_t *at, const struct slot *slot)
{
    return least_known(touched->bytes[at - touched->words], slot);
}

size_t touched_before(const struct touched *touched, const uint64_t *at, const struct slot *slot)
{
    return least_known(touched->given_up[at - touched->words], slot);
}

void touched_write(const struct touched *touched, const uint64_t *at, const struct slot *slot,
                   size_t had)
{
    touch_bytes(slot->p, had, touched_of(touched, at, slot), TOUCH_PAGE);
}

bool touched_call(const struct touched *touched, struct slot *table, const uint64_t **at,
                  int64_t *change)
{
    const uint64_t *step = *at;
    struct slot *slot = &table[step_slot(*step)];
    enum trace_kind kind = step_kind(*step);
    size_t had = kind == TRACE_REALLOC ? slot->size : 0;
    if (!step_call(table, at, TOUCH_NONE, change))
        return false;
    if (kind != TRACE_FREE)
        touched_write(touched, step, slot, had);
    return true;
}
