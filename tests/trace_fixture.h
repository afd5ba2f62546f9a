/* What tests that write a trace share: a new folder for it before each test, and nothing left after
   it. */
#ifndef TESTS_TRACE_FIXTURE_H
#define TESTS_TRACE_FIXTURE_H

extern char folder[64];
/* A file in it, which need not be there. */
extern char path[128];

/* For cmocka's setup. */
int folder_make(void **state);
/* For its teardown: fails the test if it left anything but the file there, or any mapping. */
int folder_remove(void **state);

#endif
