/* Whether an emulator runs the tests, as whoever starts them in one says. */
#ifndef TESTS_EMULATION_H
#define TESTS_EMULATION_H

#include <stdbool.h>
#include <stdlib.h>

/* An emulator has memory of its own in the process, and QEMU's does not survive forks among
 * threads. */
static inline bool is_emulated(void)
{
    return getenv("TESTS_EMULATED") != NULL;
}

#endif
