/*
 * The fuzz target: a string of bytes as a run of the model (tests/model.h). libFuzzer calls it by
 * its own name; test_fuzz.c replays the inputs that were kept.
 */
#ifndef TESTS_FUZZ_FUZZ_HEAP_H
#define TESTS_FUZZ_FUZZ_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_MESSAGE_MAX = 600 };

/*
 * The first bytes choose the functions, how many blocks, and which of the system's calls fail; the
 * rest are the model's numbers. false: message tells what went wrong.
 */
bool fuzz_heap(const uint8_t *bytes, size_t count, char message[FUZZ_MESSAGE_MAX]);

/* libFuzzer's entry: aborts where fuzz_heap fails. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#endif
