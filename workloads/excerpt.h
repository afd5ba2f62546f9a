/*
 * A part of a trace as a trace of its own: what `trace cut`, `filter` and `subset` share. A rule
 * sees each operation of the source and puts those that are to stay; this file keeps the account of
 * live blocks and threads, so that what is written is valid whatever the rule chooses. Which
 * operations those are is not known here. Memory is bounded by the blocks live at once.
 */
#ifndef WORKLOADS_EXCERPT_H
#define WORKLOADS_EXCERPT_H

#include "slot_pool.h"
#include "trace.h"

/* A live block of the source. */
struct excerpt_block {
    uint64_t order;  /* blocks made or resized earlier have a smaller one */
    uint64_t size;   /* with `kind` and `count`: the call that makes it as it is now */
    uint64_t count;  /* as in struct trace_op */
    uint32_t thread; /* of the source, that made or last resized it */
    uint32_t maker;  /* that made it */
    uint32_t slot;   /* in what is written, if it is there */
    uint32_t site;   /* of the call that made or last resized it */
    uint8_t kind;    /* enum trace_kind */
    uint8_t made_by; /* kind of the call that made it at first */
    bool kept;       /* it belongs to the excerpt */
};

/* A thread of the source. */
struct excerpt_thread {
    uint64_t gap_ns; /* since its last operation that was written */
    uint32_t number; /* 1 + its number in what is written; 0: not there */
    bool has_ended;
};

struct excerpt {
    struct trace_reader *reader;
    struct trace_writer *writer;
    struct excerpt_block *blocks; /* by slot of the source */
    size_t blocks_capacity;
    struct excerpt_thread *threads; /* by number in the source */
    size_t threads_capacity;
    struct slot_pool slots;
    uint32_t threads_written;
    uint64_t order;
    uint64_t base_ns; /* time of the source at which what is written begins */
    bool writing;     /* excerpt_begin was called */
    bool done;        /* the rule wants no more operations */
    uint64_t written; /* operations, but for what excerpt_begin makes */
    /* What was changed to keep the excerpt valid. */
    uint64_t made_at_start;   /* blocks live at the start, which are made first */
    uint64_t left_out_frees;  /* of blocks that are not there */
    uint64_t made_by_realloc; /* reallocs of such blocks, which make them now */
    uint64_t released;        /* blocks that left the excerpt: a free stands in its place */
    char error[TRACE_ERROR_MAX];
};

/* Called for each operation of the source, in order. false: excerpt->error or that of the writer
   tells. */
typedef bool (*excerpt_rule)(struct excerpt *excerpt, const struct trace_op *op, void *cookie);

/* The block that a free or realloc names; before a make, the one that was in its slot. */
struct excerpt_block *excerpt_block(struct excerpt *excerpt, const struct trace_op *op);
/* Whether op names a block that lives: frees it, resizes it, or fails to. */
bool excerpt_names(const struct trace_op *op);
/* From here on operations are written: first those blocks that are kept are made, in their order,
   by their threads. */
bool excerpt_begin(struct excerpt *excerpt, uint64_t base_ns);
/* op, which is of the source or made from one, is part of the excerpt. A thread that was not there
   starts before. */
bool excerpt_put(struct excerpt *excerpt, const struct trace_op *op);
/* op makes, resizes or frees a block that is not kept. */
bool excerpt_skip(struct excerpt *excerpt, const struct trace_op *op);
/* op resizes a block that is not kept and is from now on: as a realloc of NULL. */
bool excerpt_adopt(struct excerpt *excerpt, const struct trace_op *op);
/* The block of op is kept no longer: `thread` of the source frees it now. If that has ended, the
   block stays to the end. */
bool excerpt_release(struct excerpt *excerpt, const struct trace_op *op, uint32_t thread);

/*
 * Reads `in`, lets the rule see each operation and writes `out`, whose origin is that of `in` with
 * `step`, unless it is NULL, appended to its key "excerpt". Prints what is wrong. Exit status 0, 1
 * (writing failed) or 2 (`in` is no good, or `out` cannot be opened).
 */
int excerpt_run(const char *in, const char *out, const char *step, excerpt_rule rule, void *cookie);

#endif
