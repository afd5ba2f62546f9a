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
static void block_read(const struct slot *slot)
{
    const volatile char *p = slot->p;
    size_t bytes = least_of(slot->size, MODEL_MOST);
    for (size_t i = 0; i < bytes; i += MODEL_LINE)
        (void)p[i];
}

static void block_write(const struct slot *slot, size_t from)
{
    if (slot->size > from)
        memset((char *)slot->p + from, 1, least_of(slot->size - from, MODEL_MOST));
}

bool program_model_call(struct slot *table, const uint64_t **at, enum touch touch)
{
    struct slot *slot = &table[step_slot(**at)];
    enum trace_kind kind = step_kind(**at);
    size_t had = kind == TRACE_REALLOC ? slot->size : 0;
    int64_t change;
    if (kind == TRACE_FREE || kind == TRACE_REALLOC)
        block_read(slot);
    if (!step_call(table, at, touch, &change))
        return false;
    block_write(slot, had);
    return true;
}
