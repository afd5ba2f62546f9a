/*
 * JSON by printf.
 */
#include "json_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 character at `text`, or 0 if there is none. */
static size_t utf8_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc0 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf8 ? 4
                                     : 0;
    if (length < 2)
        return length;
    uint32_t code = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

void json_string(const char *bytes, size_t n)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + n;
    putchar('"');
    while (at < end) {
        size_t length = utf8_length(at);
        if (length == 0 || length > (size_t)(end - at)) {
            fputs("\\ufffd", stdout);
            length = 1;
        } else if (*at < ' ' || *at == '"' || *at == '\\' || *at == 127) {
            printf("\\u%04x", *at);
        } else {
            fwrite(at, 1, length, stdout);
        }
        at += length;
    }
    putchar('"');
}

/* Counts are printed as numbers, so that programs may add them. */
static bool value_is_number(const char *value, size_t n)
{
    return n > 0 && n < 19 && strspn(value, "0123456789") >= n && (value[0] != '0' || n == 1);
}

void json_text(const char *name, const char *text, bool numbers)
{
    const char *comma = "";
    printf("  \"%s\": {", name);
    while (*text) {
        size_t length = strcspn(text, "\n");
        size_t key = strcspn(text, "=\n");
        if (key < length) {
            const char *value = text + key + 1;
            size_t n = length - key - 1;
            printf("%s\n    ", comma);
            json_string(text, key);
            fputs(": ", stdout);
            if (numbers && value_is_number(value, n))
                printf("%.*s", (int)n, value);
            else
                json_string(value, n);
            comma = ",";
        }
        text += length + (text[length] == '\n');
    }
    puts("\n  },");
}

void json_number(const char *name, uint64_t value)
{
    printf("  \"%s\": %" PRIu64 ",\n", name, value);
}

void json_share(const char *name, double part, double whole)
{
    printf("  \"%s\": %.12g,\n", name, whole > 0 ? part / whole : 0);
}
