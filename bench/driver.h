/*
 * What the measuring programs share apart from measuring: how they end, numbers on their command
 * line, the proof of whose malloc they call, and how they print. Nothing here calls malloc.
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "identity.h"

#include <stdint.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Prints one line on standard error, as printf does, and returns status. */
__attribute__((format(printf, 2, 3))) int driver_fail(int status, const char *format, ...);
/* Prints the text and ends the process. */
__attribute__((noreturn)) void driver_print_and_exit(const char *text);
/* The number from `least` to `most` that the value of an option is; else complains. */
int driver_parse_count(const char *option, const char *text, uint64_t least, uint64_t most,
                       uint64_t *count);
/* Finds the object file at path and proves that this process calls its malloc. */
int driver_prove_allocator(const char *path, struct identity *identity);

/* An empty text with room for all that a program prints; there is one at a time. */
struct json_text driver_text_open(void);
/* Prints the text on standard output. */
int driver_print(const struct json_text *text);
/* Ends the object in the text with whose malloc was measured, and prints it. */
int driver_print_result(struct json_text *text, const struct identity *identity);

#endif
