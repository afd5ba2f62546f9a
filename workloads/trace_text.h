/*
 * The "key=value" lines that stand in a trace, of its origin and of what was lost: looking one up,
 * adding, counting, and leaving out those that name the maker. What the keys mean is said in
 * trace.h; files are not the business of this one.
 */
#ifndef WORKLOADS_TRACE_TEXT_H
#define WORKLOADS_TRACE_TEXT_H

#include "trace.h"

/* Lines in the making; all zero is an empty text. */
struct trace_text {
    char bytes[TRACE_TEXT_MAX + 1]; /* ended by a zero byte */
    size_t length;                  /* without it */
};

/* One line of a text. Neither part is ended by a zero byte. */
struct text_line {
    const char *key, *value;
    size_t key_length, value_length;
};

/* Takes the next line, moving *text behind it. false: there is none. A line without '=' has an
   empty value. */
bool text_line_take(const char **text, struct text_line *line);
bool text_line_is(const struct text_line *line, const char *key);
/* The value as a count; false if it is none. */
bool text_line_count(const struct text_line *line, uint64_t *count);

/* Appends a line; newlines in the value become spaces. What does not fit is left out: a text is a
   note and no reason to lose a trace. */
void trace_text_add(struct trace_text *text, const char *key, const char *value);
void trace_text_add_line(struct trace_text *text, const struct text_line *line);
/* Appends all lines of `given`. */
void trace_text_add_all(struct trace_text *text, const char *given);
/* Adds n to the count of this key, which is 0 where it is not there. Nothing for n = 0. */
void trace_text_count(struct trace_text *text, const char *key, uint64_t n);
/* Appends `step` to the value of this key, behind "; " where there is one. */
void trace_text_extend(struct trace_text *text, const char *key, const char *step);

/*
 * Copies those lines of an origin or of losses that say nothing of who made the trace and where:
 * counts, and the keys that hold no command, name of a host or user, path or environment. A program
 * keeps its name without folders; any other value with a slash goes. Keys that are not known go.
 */
void trace_text_strip(struct trace_text *text, const char *given);

#endif
