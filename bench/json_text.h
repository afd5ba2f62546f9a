/*
 * Builds one line of JSON in a buffer of the caller, without malloc and without stdio streams: it
 * is used inside programs whose malloc is being measured. It knows no nesting: the caller writes
 * the brackets.
 */
#ifndef BENCH_JSON_TEXT_H
#define BENCH_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text that grows in buffer[0 .. capacity); `used` leaves room for the final zero. */
struct json_text {
    char *buffer;
    size_t capacity;
    size_t used;
    bool overflowed; /* something did not fit and was left out */
};

struct json_text json_text_open(char *buffer, size_t capacity);
/* Appends as printf does. */
__attribute__((format(printf, 2, 3))) void json_text_add(struct json_text *text, const char *format,
                                                         ...);
/* Appends a quoted string; NULL becomes null. Bytes above 127 are taken to be UTF-8. */
void json_text_string(struct json_text *text, const char *string);
/* Append a comma, the key and the value. */
void json_text_number(struct json_text *text, const char *key, int64_t number);
void json_text_pair(struct json_text *text, const char *key, const char *string);
void json_text_flag(struct json_text *text, const char *key, bool flag);
/* Writes all of the text to fd, in one write(2) where the system takes it; false and errno. */
bool json_text_write(const struct json_text *text, int fd);

#endif
