/* See empty.h. Addresses are handed out in turn, so that a freed one is not soon another's. */
#include "empty.h"
#include "heap.h"
#include "os.h"

#include <errno.h>

enum {
    EMPTY_SLOTS = 64 * 1024, /* arbitrary; their states cost a byte each */
    EMPTY_BYTES = EMPTY_SLOTS * ALIGNMENT,
    EMPTY_LOOKS = 256, /* at slots that may be free; arbitrary, bounds a malloc */
};

enum state { UNUSED, LIVE, FREED };

static char *region; /* NULL: not reserved yet */
static unsigned char states[EMPTY_SLOTS];
static unsigned next;

static bool region_reserve(void)
{
    int kept = errno;
    if (!region)
        region = os_reserve(EMPTY_BYTES);
    errno = kept;
    return region != NULL;
}

void *empty_allocate(void)
{
    if (!region_reserve())
        return NULL;
    for (int looks = 0; looks < EMPTY_LOOKS; looks++) {
        unsigned slot = next;
        next = (next + 1) % EMPTY_SLOTS;
        if (states[slot] == LIVE)
            continue;
        states[slot] = LIVE;
        return region + (size_t)slot * ALIGNMENT;
    }
    return NULL;
}

bool empty_holds(const void *p)
{
    return region && (uintptr_t)p - (uintptr_t)region < EMPTY_BYTES;
}

static unsigned char *state_of(const void *p)
{
    return &states[(size_t)((const char *)p - region) / ALIGNMENT];
}

void empty_check(void *p, enum misuse_caller caller)
{
    if ((uintptr_t)p % ALIGNMENT)
        misuse_abort(caller, p, "misaligned pointer, not from malloc");
    if (*state_of(p) == FREED)
        heap_block_is_freed(p, caller);
    if (*state_of(p) != LIVE)
        misuse_abort(caller, p, "not a block of ours");
}

void empty_free(void *p)
{
    *state_of(p) = FREED;
}
