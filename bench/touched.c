/*
 * Only for replays that ask for it: the others have neither the arrays nor the look at them.
 */
#include "touched.h"

#include "own_memory.h"

static bool make_room(struct touched *touched, size_t word, uint32_t slot)
{
    return own_memory_reserve((void **)&touched->bytes, &touched->capacity, sizeof(uint32_t),
                              word + 1) &&
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
    if (!touched->is_asked || op->slot == TRACE_NO_SLOT)
        return true;
    if (!make_room(touched, word, op->slot))
        return false;
    size_t *made_by = &touched->made_by[op->slot];
    if (*made_by > 0 && trace_op_present(op, &present))
        touched->bytes[*made_by - 1] = known_bytes(present);
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
    own_memory_unmap(touched->made_by, touched->slots_capacity * sizeof(*touched->made_by));
    *touched = (struct touched){0};
}

bool touched_call(const struct touched *touched, const uint64_t *words, struct slot *table,
                  const uint64_t **at, int64_t *change)
{
    struct slot *slot = &table[step_slot(**at)];
    size_t word = (size_t)(*at - words);
    enum trace_kind kind = step_kind(**at);
    size_t had = kind == TRACE_REALLOC ? slot->size : 0;
    if (!step_call(table, at, TOUCH_NONE, change))
        return false;
    if (kind == TRACE_FREE)
        return true;
    size_t bytes = touched->bytes[word];
    bool is_known = bytes != TOUCHED_UNKNOWN && bytes < slot->size;
    touch_bytes(slot->p, had, is_known ? bytes : slot->size, TOUCH_PAGE);
    return true;
}
