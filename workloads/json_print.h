/*
 * Pieces of a JSON object on standard output: strings and texts of a trace, which may hold
 * anything.
 */
#ifndef WORKLOADS_JSON_PRINT_H
#define WORKLOADS_JSON_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n bytes, which a zero byte follows somewhere, as a string. What is no UTF-8 becomes U+FFFD. */
void json_string(const char *bytes, size_t n);
/* A member of this name: "key=value" lines as an object, with a comma behind it. With `numbers`,
   values that are counts become numbers. */
void json_text(const char *name, const char *text, bool numbers);
/* Members with a comma behind them. */
void json_number(const char *name, uint64_t value);
void json_share(const char *name, double part, double whole); /* 0 if whole is 0 */

#endif
