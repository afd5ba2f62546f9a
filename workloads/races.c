/*
 * A search tree of libc. Few calls are held at a time: threads' clocks are not far apart.
 */
#include "races.h"

#include <search.h>
#include <stdlib.h>

static int held_compare(const void *a, const void *b)
{
    uint64_t x = ((const struct call *)a)->result, y = ((const struct call *)b)->result;
    return (x > y) - (x < y);
}

bool races_hold(struct races *races, const struct call *call)
{
    struct call *held = malloc(sizeof *held);
    if (held == NULL)
        return false;
    *held = *call;
    if (tsearch(held, &races->root, held_compare) == NULL) {
        free(held);
        return false;
    }
    races->count++;
    return true;
}

static void held_take(struct races *races, struct call *held, struct call *call)
{
    tdelete(held, &races->root, held_compare);
    races->count--;
    *call = *held;
    free(held);
}

bool races_take(struct races *races, uint64_t address, struct call *call)
{
    const struct call wanted = {.result = address};
    struct call **found = tfind(&wanted, &races->root, held_compare);
    if (found == NULL)
        return false;
    held_take(races, *found, call);
    return true;
}

bool races_take_any(struct races *races, struct call *call)
{
    if (races->root == NULL)
        return false;
    held_take(races, *(struct call **)races->root, call);
    return true;
}

void races_close(struct races *races)
{
    if (races->root != NULL)
        tdestroy(races->root, free);
    *races = (struct races){0};
}
