/*
 * An operating system that the tests hold in their hands: allocator/os.h, with a count of every
 * mapping, a list of what is mapped, places of the test's choice, and failures on demand. A call
 * that no system would be asked for (an unmap of what is not mapped) ends the test program.
 */
#ifndef TESTS_FAKE_OS_H
#define TESTS_FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_OS_NEVER = -1 };

struct fake_os {
    long maps;   /* successful calls of os_map */
    long unmaps; /* successful calls of os_unmap */
    long remaps; /* successful calls of os_remap */

    long map_fails_in;   /* os_map or os_remap fails once after so many successes; FAKE_OS_NEVER */
    long unmap_fails_in; /* os_unmap fails likewise */
    bool fails_on;       /* what would fail once fails for ever from then on */
    bool maps_fail;      /* every os_map and os_remap fails */
    bool unmaps_fail;    /* every os_unmap fails */
    long failures;       /* calls that failed on demand */

    bool apart;        /* mappings never touch: a page that nobody has lies between them */
    void *place;       /* where the next os_map maps; NULL: anywhere */
    size_t mapped;     /* bytes mapped now */
    size_t last_bytes; /* of the last os_map */
    size_t expected;   /* bytes of which os_expect_use was told */
    long fault_ins;    /* calls of os_fault_in */
    size_t faulted_in; /* bytes of those */
    bool is_there;     /* what os_is_there tells */
    uint64_t spent_ns; /* what os_spent_ns tells */
    uint64_t huge_ns;  /* how much more it tells after each huge page that is expected */
};

extern struct fake_os fake_os;

/* Counts to zero, no failures. What is still mapped stays mapped and is forgotten. */
void fake_os_reset(void);
/* Whether all of [p, p + bytes) was mapped by os_map and not unmapped since. */
bool fake_os_holds(const void *p, size_t bytes);

#endif
