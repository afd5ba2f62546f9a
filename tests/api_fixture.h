/* What tests of the public functions with threads and processes share. */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

enum { HAMMERS = 2 };

/* For cmocka's setup: a lock that is never released would hang a test, not fail it. */
int limit_time(void **state);
/* For its teardown: fails the test if span_check finds a fault. */
int sound_api(void **state);

/* Whether this is MODE=tsan, in which some things are not possible. */
bool has_thread_sanitizer(void);

/* Bytes of this process that are in memory now; where it is emulated, 0. */
size_t resident(void);

/* The same; where some would be an emulator's or a sanitizer's own, which keep something of every
   thread, the bytes that the allocator has mapped. */
size_t memory_held(void);

/* Starts HAMMERS threads that allocate and free until hammers_stop, which ends them all. */
void hammers_start(void);
void hammers_stop(void);

#endif
