/*
 * Lines of text in a buffer of the size that a trace allows.
 */
#include "trace_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool text_line_take(const char **text, struct text_line *line)
{
    while (**text == '\n')
        ++*text;
    if (**text == '\0')
        return false;
    size_t length = strcspn(*text, "\n");
    size_t key = strcspn(*text, "=\n");
    size_t value = key < length ? key + 1 : length;
    *line = (struct text_line){*text, *text + value, key, length - value};
    *text += length;
    return true;
}

bool text_line_is(const struct text_line *line, const char *key)
{
    return strlen(key) == line->key_length && memcmp(line->key, key, line->key_length) == 0;
}

bool text_line_count(const struct text_line *line, uint64_t *count)
{
    size_t digits = strspn(line->value, "0123456789");
    if (digits != line->value_length || digits == 0 || digits > 19)
        return false;
    return sscanf(line->value, "%" SCNu64, count) == 1;
}

/* A line of these two parts, if there is room. */
static void parts_add(struct trace_text *text, const char *key, size_t key_length,
                      const char *value, size_t value_length)
{
    if (text->length + key_length + value_length + 2 > TRACE_TEXT_MAX)
        return;
    char *at = text->bytes + text->length;
    memcpy(at, key, key_length);
    at += key_length;
    *at++ = '=';
    for (size_t i = 0; i < value_length; i++)
        *at++ = value[i] == '\n' ? ' ' : value[i];
    *at++ = '\n';
    *at = '\0';
    text->length = (size_t)(at - text->bytes);
}

void trace_text_add(struct trace_text *text, const char *key, const char *value)
{
    parts_add(text, key, strlen(key), value, strlen(value));
}

void trace_text_add_line(struct trace_text *text, const struct text_line *line)
{
    parts_add(text, line->key, line->key_length, line->value, line->value_length);
}

void trace_text_add_all(struct trace_text *text, const char *given)
{
    struct text_line line;
    while (text_line_take(&given, &line))
        trace_text_add_line(text, &line);
}

/* Removes the line of this key; false if there is none. `value` (of `bytes`) is what it said, cut
   if it is longer. */
static bool line_remove(struct trace_text *text, const char *key, char *value, size_t bytes)
{
    const char *rest = text->bytes;
    struct text_line line;
    while (text_line_take(&rest, &line)) {
        if (!text_line_is(&line, key))
            continue;
        snprintf(value, bytes, "%.*s", (int)line.value_length, line.value);
        char *at = text->bytes + (line.key - text->bytes);
        const char *end = *rest == '\n' ? rest + 1 : rest;
        memmove(at, end, strlen(end) + 1);
        text->length -= (size_t)(end - at);
        return true;
    }
    return false;
}

void trace_text_count(struct trace_text *text, const char *key, uint64_t n)
{
    char value[32] = "";
    uint64_t before = 0;
    if (n == 0)
        return;
    if (line_remove(text, key, value, sizeof value))
        sscanf(value, "%" SCNu64, &before);
    snprintf(value, sizeof value, "%" PRIu64, before + n);
    trace_text_add(text, key, value);
}

void trace_text_extend(struct trace_text *text, const char *key, const char *step)
{
    char before[2048] = "";
    char value[4096];
    bool more = line_remove(text, key, before, sizeof before);
    snprintf(value, sizeof value, "%s%s%s", before, more ? "; " : "", step);
    trace_text_add(text, key, value);
}

/* Of what these say nobody can be recognised. */
static const char *const harmless[] = {
    "source",       "tool",      "format",      "program",      "kernel",         "libc",
    "cpu",          "date",      "excerpt",     "merged",       "unfinished",     "lost_why",
    "lost_threads", "lost_time", "lost_calloc", "lost_realloc", "lost_alignment", "lost_order",
    "lost_offsets",
};

static bool line_is_harmless(const struct text_line *line)
{
    uint64_t count;
    bool is_count = text_line_count(line, &count);
    if (is_count && !text_line_is(line, "pid") && !text_line_is(line, "ppid") &&
        !text_line_is(line, "uid") && !text_line_is(line, "pid_namespace"))
        return true;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        if (text_line_is(line, harmless[i]))
            return true;
    }
    return false;
}

void trace_text_strip(struct trace_text *text, const char *given)
{
    struct text_line line;
    while (text_line_take(&given, &line)) {
        if (!line_is_harmless(&line))
            continue;
        const char *slash = memrchr(line.value, '/', line.value_length);
        if (slash != NULL && text_line_is(&line, "program")) {
            line.value_length -= (size_t)(slash + 1 - line.value);
            line.value = slash + 1;
        } else if (slash != NULL) {
            continue;
        }
        trace_text_add_line(text, &line);
    }
}
