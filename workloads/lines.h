/*
 * The lines of a text, and what stands in them: numbers, words. Everything is scanned in place; a
 * line ends in a zero byte that is not part of it. Knows no format.
 */
#ifndef WORKLOADS_LINES_H
#define WORKLOADS_LINES_H

#include "input.h"

enum { LINES_BYTES = 1 << 18 }; /* most bytes of a line; arbitrary, more than any call has */

struct lines {
    struct input *in;
    uint64_t number;  /* of the line in `text`, from 1 */
    const char *text; /* without its end, be it LF or CRLF. Valid until the next line */
    const char *end;  /* *end is 0 */
    bool complete;    /* the line had an end: only the last of a file may have none */
    bool cuts;        /* set by the reader: what is too long is no fault, its rest is skipped ... */
    bool cut;         /* ... and this is such a line */
    char *buffer;     /* LINES_BYTES + 1 mapped */
    size_t at, filled;
    const char *fault; /* NULL, or what went wrong; input_fault may have written it */
};

/* false and errno when memory is out. */
bool lines_open(struct lines *lines, struct input *in);
void lines_close(struct lines *lines);
/* Goes to the next line. false: the end, or an error if lines->fault is not NULL. */
bool lines_next(struct lines *lines);

extern const unsigned char hex_digits[256]; /* the digit's value; 16: no digit */

/*
 * Each scan_... looks at *at; where it finds what it looks for it goes behind it and returns true,
 * else *at stays. A number that does not fit 64 bits is not found.
 */
static inline bool scan_char(const char **at, char c)
{
    bool found = **at == c;
    *at += found;
    return found;
}

static inline void scan_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

static inline bool scan_text(const char **at, const char *text)
{
    const char *behind = *at;
    for (; *text != '\0'; text++, behind++) {
        if (*behind != *text)
            return false;
    }
    *at = behind;
    return true;
}

static inline bool scan_decimal(const char **at, uint64_t *number)
{
    const char *digit = *at;
    uint64_t value = 0;
    unsigned d;
    for (; (d = (unsigned char)*digit - (unsigned)'0') < 10; digit++) {
        if (value > UINT64_MAX / 10 || (value == UINT64_MAX / 10 && d > UINT64_MAX % 10))
            return false;
        value = value * 10 + d;
    }
    if (digit == *at)
        return false;
    *number = value;
    *at = digit;
    return true;
}

/* Without "0x". */
static inline bool scan_hex(const char **at, uint64_t *number)
{
    const char *digit = *at;
    uint64_t value = 0;
    unsigned d;
    for (; (d = hex_digits[(unsigned char)*digit]) < 16; digit++) {
        if (value >> 60)
            return false;
        value = value << 4 | d;
    }
    if (digit == *at)
        return false;
    *number = value;
    *at = digit;
    return true;
}

/* With "0x". */
static inline bool scan_0x(const char **at, uint64_t *number)
{
    const char *digits = *at;
    if (digits[0] != '0' || (digits[1] != 'x' && digits[1] != 'X'))
        return false;
    digits += 2;
    if (!scan_hex(&digits, number))
        return false;
    *at = digits;
    return true;
}

/* Nothing but blanks is left of the line. */
static inline bool scan_end(const struct lines *lines, const char *at)
{
    scan_blanks(&at);
    return at == lines->end;
}

#endif
