/*
 * Reads a raw recording (workloads/raw.h) as one stream of calls a thread. A file is never
 * trusted: it may be cut, damaged, or still being written. What order the streams have among each
 * other is the business of compile.c.
 */
#ifndef WORKLOADS_RAW_READER_H
#define WORKLOADS_RAW_READER_H

#include "builder.h"
#include "raw.h"

/* One record. */
struct raw_call {
    struct call call; /* time_ns is not set */
    uint64_t stamp;   /* the record's place in time; never decreases within a stream */
    uint64_t before;  /* realloc: stamp before the call; else the same as stamp */
    unsigned depth;   /* frames of its site; 0: unknown */
    uint64_t frames[RAW_DEPTH_MAX]; /* return addresses, the innermost first */
};

/* A module that calls came from: see struct raw_module, whose fields these are. */
struct raw_place {
    uint64_t stamp, start, bytes, address;
    const uint8_t *id;
    uint32_t id_bytes;
    char path[RAW_PATH_MAX];
};

struct raw_reader;

/* NULL on failure, with "PATH: what" in error. The file must stay as it is while it is read. */
struct raw_reader *raw_reader_open(const char *path, char error[TRACE_ERROR_MAX]);
void raw_reader_close(struct raw_reader *reader);

/* A copy of the header with text that is NUL-terminated. */
const struct raw_header *raw_reader_header(const struct raw_reader *reader);
/* Nanoseconds since the recording began. */
uint64_t raw_reader_ns(const struct raw_reader *reader, uint64_t stamp);
/* Takes the module at *at, an offset that is 0 for the first one, and moves *at behind it. false:
   there is no more. */
bool raw_reader_module(const struct raw_reader *reader, size_t *at, struct raw_place *place);
/* Whether the recording has call sites. */
bool raw_reader_has_sites(const struct raw_reader *reader);
size_t raw_reader_streams(const struct raw_reader *reader);
/* The next call of a stream; *more is false at its end. false: raw_reader_error tells. */
bool raw_reader_next(struct raw_reader *reader, size_t stream, struct raw_call *call, bool *more);
const char *raw_reader_error(const struct raw_reader *reader); /* "PATH: what" */

#endif
