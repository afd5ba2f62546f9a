/*
 * A .wl file (wl_codes.h) as the streams of code that its threads run: the main block, and for each
 * thread a part of the file that is its own. What the code does is not known here.
 */
#ifndef WORKLOADS_WL_STREAMS_H
#define WORKLOADS_WL_STREAMS_H

#include "import.h"
#include "wl_codes.h"

enum { WL_OPERANDS_MAX = 3 };

/* The code of one thread, or the main block. */
struct stream {
    uint64_t start, end;  /* in the file; another one begins at `end`, or the file ends */
    uint64_t at;          /* of what is read next */
    uint64_t waits_for;   /* a sync's id plus 1; 0: none */
    uint32_t next;        /* stream in the queue, or that waits for a sync like it; 0: the last */
    uint32_t ready, used; /* bytes in its buffer, and of these, used */
    bool done;
};

struct wl {
    struct import *import;
    int fd;
    uint64_t bytes; /* of the file */
    bool counted;   /* there was a WL_ALLOC_PTRS */
    uint64_t slots, syncs, threads;
    struct stream *streams; /* [0] is the main block */
    size_t streams_used, streams_capacity;
    unsigned char *buffers; /* stream_bytes each */
    size_t buffers_bytes, stream_bytes;
    unsigned char *synced; /* a bit for each id that was written */
    size_t synced_bytes;
    uint32_t *waiting;    /* by sync_home: the first stream that waits; streams_used of them */
    uint32_t first, last; /* the queue of streams that can run; 0: empty */
};

extern const unsigned char wl_operands[WL_CODES]; /* how many numbers follow the code */

/* Reads the main block and sets up all streams. false: import->error tells. */
bool wl_main_read(struct wl *wl);
/* The next code with its operands. false: import->error tells. */
bool wl_code_take(struct wl *wl, struct stream *stream, unsigned *code,
                  uint64_t numbers[WL_OPERANDS_MAX]);
/* An error at a byte of the file, or where the stream is; returns false. */
bool wl_fail(struct wl *wl, uint64_t byte, const char *what);
bool wl_stream_fail(struct wl *wl, const struct stream *stream, const char *what);

#endif
