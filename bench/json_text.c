/*
 * One line of JSON in a fixed buffer. What does not fit is cut and told, never written past the
 * end.
 */
#include "json_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

struct json_text json_text_open(char *buffer, size_t capacity)
{
    buffer[0] = '\0';
    return (struct json_text){.buffer = buffer, .capacity = capacity};
}

void json_text_add(struct json_text *text, const char *format, ...)
{
    size_t room = text->capacity - text->used;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text->buffer + text->used, room, format, arguments);
    va_end(arguments);
    if (wanted < 0 || (size_t)wanted >= room) {
        text->overflowed = true;
        text->buffer[text->used] = '\0';
        return;
    }
    text->used += (size_t)wanted;
}

static void add_character(struct json_text *text, unsigned char c)
{
    if (c == '"' || c == '\\')
        json_text_add(text, "\\%c", c);
    else if (c < ' ' || c == 0x7f)
        json_text_add(text, "\\u%04x", c);
    else
        json_text_add(text, "%c", c);
}

void json_text_string(struct json_text *text, const char *string)
{
    if (string == NULL) {
        json_text_add(text, "null");
        return;
    }
    json_text_add(text, "\"");
    for (; *string; string++)
        add_character(text, (unsigned char)*string);
    json_text_add(text, "\"");
}

void json_text_number(struct json_text *text, const char *key, int64_t number)
{
    json_text_add(text, ", \"%s\": %lld", key, (long long)number);
}

void json_text_pair(struct json_text *text, const char *key, const char *string)
{
    json_text_add(text, ", \"%s\": ", key);
    json_text_string(text, string);
}

void json_text_flag(struct json_text *text, const char *key, bool flag)
{
    json_text_add(text, ", \"%s\": %s", key, flag ? "true" : "false");
}

bool json_text_write(const struct json_text *text, int fd)
{
    if (text->overflowed) {
        errno = EOVERFLOW;
        return false;
    }
    for (size_t done = 0; done < text->used;) {
        ssize_t n = write(fd, text->buffer + done, text->used - done);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            done += (size_t)n;
    }
    return true;
}
