/*
 * Lines cut from a buffer of fixed size, which is moved up and filled again when the next line is
 * not all there.
 */
#include "lines.h"

#include "pages.h"

#include <string.h>

#define NO4    16, 16, 16, 16
#define NONE16 NO4, NO4, NO4, NO4

const unsigned char hex_digits[256] = {
    NONE16, NONE16, NONE16, 0,      1,      2,      3,      4,      5,      6,
    7,      8,      9,      16,     16,     16,     16,     16,     16, /* '0' */
    16,     10,     11,     12,     13,     14,     15,     16,     16,     16,
    16,     16,     16,     16,     16,     16, /* 'A' */
    NONE16, 16,     10,     11,     12,     13,     14,     15,     16,     16,
    16,     16,     16,     16,     16,     16,     16, /* 'a' */
    NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16,
};

bool lines_open(struct lines *lines, struct input *in)
{
    *lines = (struct lines){.in = in, .buffer = pages_map(LINES_BYTES + 1)};
    return lines->buffer != NULL;
}

void lines_close(struct lines *lines)
{
    pages_unmap(lines->buffer, LINES_BYTES + 1);
    lines->buffer = NULL;
}

/* Moves what is left to the front and reads more behind it. false: there is no more, or no room,
   which is a fault unless such lines are cut. */
static bool lines_fill(struct lines *lines)
{
    size_t left = lines->filled - lines->at;
    memmove(lines->buffer, lines->buffer + lines->at, left);
    lines->at = 0;
    lines->filled = left;
    if (left == LINES_BYTES) {
        lines->fault = lines->cuts ? NULL : "line is too long";
        return false;
    }
    ssize_t got = input_read(lines->in, lines->buffer + left, LINES_BYTES - left);
    if (got < 0)
        lines->fault = input_fault(lines->in);
    lines->filled += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Goes behind the end of a line that was cut. false: there is none, or an error. */
static bool rest_skip(struct lines *lines)
{
    char *end;
    lines->cut = false;
    while ((end = memchr(lines->buffer + lines->at, '\n', lines->filled - lines->at)) == NULL) {
        lines->at = lines->filled;
        if (!lines_fill(lines))
            return false;
    }
    lines->at = (size_t)(end - lines->buffer) + 1;
    return true;
}

bool lines_next(struct lines *lines)
{
    size_t seen = 0; /* of what is left: no end in it */
    char *end;
    lines->text = lines->end = lines->buffer; /* of an error: no line is there */
    if (lines->cut && !rest_skip(lines))
        return false;
    lines->number++;
    for (;;) {
        char *from = lines->buffer + lines->at;
        end = memchr(from + seen, '\n', lines->filled - lines->at - seen);
        seen = lines->filled - lines->at;
        if (end != NULL || !lines_fill(lines))
            break;
    }
    if (lines->fault != NULL || (end == NULL && seen == 0))
        return false;
    char *text = lines->buffer + lines->at;
    lines->cut = end == NULL && seen == LINES_BYTES;
    lines->complete = end != NULL || lines->cut;
    if (end == NULL)
        end = text + seen;
    lines->at += (size_t)(end - text) + (lines->complete && !lines->cut);
    if (end > text && end[-1] == '\r')
        end--;
    *end = '\0';
    lines->text = text;
    lines->end = end;
    return true;
}
