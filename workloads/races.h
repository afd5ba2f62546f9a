/*
 * Calls that are held back because a file has them in the wrong order: an allocation that stands
 * before the free that made its address available. Kept by address until that free comes.
 */
#ifndef WORKLOADS_RACES_H
#define WORKLOADS_RACES_H

#include "call.h"

#include <stdbool.h>
#include <stddef.h>

/* All zero is an empty set. */
struct races {
    void *root;
    size_t count;
};

/* Holds a call with a result that no held call has; false and errno when memory is out. */
bool races_hold(struct races *races, const struct call *call);
/* Takes the held call whose result is this address out of the set; false: there is none. */
bool races_take(struct races *races, uint64_t address, struct call *call);
/* Takes any held call; false: there is none. */
bool races_take_any(struct races *races, struct call *call);
void races_close(struct races *races);

#endif
