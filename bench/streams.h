/*
 * The decoded trace for a replay on the original threads: a stream of steps for each thread, and
 * between its steps what the thread must wait for. Who waits, and how, is pace.h; the threads are
 * lanes.h.
 *
 * The recorded order is cut into epochs. A thread begins its steps of epoch e once every thread has
 * done its own of epoch e - 2, so no thread is ever further ahead of the slowest than two epochs.
 * An epoch ends after a number of steps, or earlier when it has made or freed a set share of the
 * most bytes that were ever live; a step that alone makes or frees more than that waits for all
 * before it. So live memory stays what it was in the program, within two such shares.
 *
 * A step on a block that another thread made or resized in this epoch or the one before waits for
 * that step; one that lies further back is done. Slots are given anew (the trace's are numbered for
 * one thread): a slot is used again by the thread that freed it, or by any two epochs later, so
 * that no thread ever waits for a slot.
 *
 * A pause is an epoch of its own: the thread that made the call before sleeps once all earlier
 * epochs are done, and no thread begins the next epoch before the sleep is over.
 *
 * Every wait is for something earlier in the recorded order, so the earliest step that is not done
 * can always be done: there is no deadlock.
 */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "steps.h"

#include <stdatomic.h>

/* Steps of streams only. A second word follows where one is named. */
enum stream_step {
    STEP_PAUSE = TRACE_THREAD_START, /* slot: milliseconds to sleep; no thread starts by a step */
    STEP_JUMP = TRACE_KINDS,         /* word: index of the word at which the stream goes on */
    STEP_EPOCH,    /* slot: the epoch of the part that begins for this thread; size: 1 if
                      all earlier epochs must be done */
    STEP_WAIT,     /* slot: a lane; word: index of the step it must have published */
    STEP_SPAWN,    /* slot: a lane; word: number of the thread that begins there */
    STEP_PART_END, /* the thread goes on in the next part */
    /* TRACE_THREAD_END: the thread ends. */
};

enum {
    STREAMS_EPOCH_OPS = 4096, /* steps of an epoch, unless told otherwise */
    STREAMS_BYTES_SHARE = 40, /* of the peak of live bytes, that end an epoch: a fortieth */
    STREAMS_EPOCHS_AHEAD = 2  /* by which a thread may be ahead */
};

/* The part of a thread's steps that is decoded. */
struct stream {
    uint64_t first;   /* index of its first word; valid if has_words */
    uint64_t next;    /* where its next word goes */
    uint64_t end;     /* of the words that were reserved for it last */
    uint64_t ops;     /* steps of malloc's family in this part */
    uint32_t segment; /* words that were reserved last */
    uint32_t epoch;   /* that it is in, from the trace's start; valid if has_epoch */
    uint32_t lane;
    uint32_t free_slot; /* the first of those it freed last; 0: none */
    bool has_words;
    bool has_epoch;
    bool ended;
};

/* Where a live block is in the replay, and who touched it last. */
struct placed_block {
    uint64_t bytes;
    uint64_t word; /* index of that step, if it is in this part */
    uint32_t epoch;
    uint32_t thread;
    uint32_t slot;
};

/* A slot that is free. */
struct free_slot {
    uint32_t next;  /* 0: none */
    uint32_t epoch; /* in which it was freed */
};

/* A lane whose thread has ended. */
struct free_lane {
    uint32_t lane;
    uint32_t epoch;
};

/* What an epoch of the part is for those who execute it. */
struct epoch {
    _Atomic uint32_t left; /* streams that have steps in it and have not done them all */
    uint64_t ops;          /* steps of the trace up to its end */
};

struct streams {
    uint64_t *words;
    size_t words_capacity;
    size_t used;
    uint64_t count; /* steps of malloc's family in this part */

    struct stream *thread; /* by the trace's numbers */
    size_t threads_capacity;
    uint32_t threads;

    struct epoch *epoch; /* of this part */
    size_t epochs_capacity;
    uint32_t epochs;
    uint32_t epoch_base; /* epochs before this part, and as many as lets none of them count */

    struct placed_block *placed; /* by the trace's slots */
    size_t placed_count;
    struct free_slot *free_slot; /* by the replay's slots */
    size_t slots_capacity;
    uint32_t slots;            /* of the replay so far, with slot 0, which is none */
    uint32_t oldest, youngest; /* the queue of slots that any thread may take; 0: none */

    uint32_t *lane_thread; /* the thread that is on a lane, or UINT32_MAX */
    size_t lanes_capacity;
    uint32_t lanes;
    struct free_lane *free_lane; /* a queue */
    size_t free_lanes_capacity;
    size_t free_lanes_first, free_lanes_end;

    struct touched *touched; /* is told of each step; NULL: nobody is */
    struct pause_finder finder;
    uint32_t paused_epochs; /* of this part, up to the end of the last pause */
    uint32_t last_thread;   /* of the operation before */
    uint64_t epoch_ops;     /* of the epoch that is being filled */
    uint64_t made, freed;   /* bytes in it */
    uint64_t total;         /* steps so far, all parts */
    uint64_t ops_most;      /* of an epoch */
    uint64_t bytes_most;    /* made, or freed, in one */
};

/*
 * Streams for a trace of these totals; epoch_ops steps end an epoch (0: STREAMS_EPOCH_OPS). false
 * and errno: no memory.
 */
bool streams_open(struct streams *streams, const struct trace_totals *totals, uint64_t epoch_ops);
void streams_close(struct streams *streams);
/* Begins the next part: the words and epochs of the one before are forgotten. */
void streams_begin_part(struct streams *streams);
/* Appends an operation, as the reader gave it. false and errno: no memory. */
bool streams_add(struct streams *streams, const struct trace_op *op);
/* Appends whole blocks of the source until there are `wanted` steps or the trace ends, and ends the
   part. */
bool streams_read(struct streams *streams, struct steps_source *source, uint64_t wanted,
                  struct steps_fault *fault);
/* What streams_read does at the end of a part; false and errno: no memory. */
bool streams_end_part(struct streams *streams);

#endif
