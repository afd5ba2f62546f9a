/*
 * Text for the recorder: written into a given piece of memory, cut where it is full. No malloc, no
 * stdio, no locale, no function of libc, since all of it happens inside somebody else's malloc.
 */
#ifndef WORKLOADS_RECORDER_TEXT_H
#define WORKLOADS_RECORDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of memory being filled. Always ends in a NUL. */
struct text {
    char *start;
    size_t length;   /* without the NUL */
    size_t capacity; /* with the NUL; at least 1 */
};

struct text text_open(char *start, size_t capacity);
size_t text_length(const char *string);
bool text_begins_with(const char *string, const char *beginning);
void text_put(struct text *text, const char *string);
/* The same, newlines included. */
void text_put_lines(struct text *text, const char *lines);
void text_put_number(struct text *text, uint64_t number);

/* "key=value" lines about this process image: program, command, pid, image, date, kernel. Opens a
   file for a moment. */
void text_describe_image(struct text *text, uint32_t pid, uint32_t image);
/* The line about the C library. To be asked for where calls into libc do no harm. */
void text_describe_libc(struct text *text);

#endif
