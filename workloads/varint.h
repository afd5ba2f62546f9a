/*
 * The numbers of a trace file: unsigned LEB128, at most 64 bits. Private to what reads and writes
 * such files.
 */
#ifndef WORKLOADS_VARINT_H
#define WORKLOADS_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VARINT_MAX = 10 }; /* bytes of the longest one */

/* What is left of bytes that are being taken. */
struct column {
    const unsigned char *at, *end;
};

/* Returns where the next one goes. */
static inline unsigned char *varint_put(unsigned char *at, uint64_t value)
{
    for (; value >= 128; value >>= 7)
        *at++ = (unsigned char)(value | 128);
    *at++ = (unsigned char)value;
    return at;
}

/* A number, and what is left behind it: NULL if there is none, or one of more than 64 bits. */
struct varint {
    const unsigned char *rest;
    uint64_t value;
};

static inline struct varint varint_long(struct column column)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 64 && column.at < column.end; shift += 7) {
        uint64_t byte = *column.at++;
        if (shift == 63 && byte > 1)
            break;
        sum |= (byte & 127) << shift;
        if (byte < 128)
            return (struct varint){column.at, sum};
    }
    return (struct varint){NULL, 0};
}

static inline bool varint_take(struct column *column, uint64_t *value)
{
    if (column->at < column->end && *column->at < 128) {
        *value = *column->at++;
        return true;
    }
    struct varint varint = varint_long(*column);
    if (varint.rest == NULL)
        return false;
    column->at = varint.rest;
    *value = varint.value;
    return true;
}

#endif
