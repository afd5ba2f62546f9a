/*
 * How many bytes of each block the program ever touched. A trace may tell that when a block is
 * given up or resized; it is wanted when the block is made, so it is put down beside the step that
 * made it, as soon as the trace tells, and beside the one that gave it up. Of a block that outlives
 * the part that is decoded nothing is known when it is made.
 */
#ifndef BENCH_TOUCHED_H
#define BENCH_TOUCHED_H

#include "step_call.h"

enum { TOUCHED_UNKNOWN = UINT32_MAX };

struct touched {
    bool is_asked;
    uint32_t *bytes; /* by the index of the step's word; valid where it makes or resizes a block */
    size_t capacity;
    uint32_t *given_up; /* likewise, of the block before; valid where it frees or resizes one */
    size_t given_up_capacity;
    const uint64_t *words; /* the first of the part; to be set before a step is executed */
    size_t
        *made_by; /* by the trace's slots: index of that word and one more; 0: none in this part */
    size_t slots_capacity;
};

/* An operation whose step lies at a word of the part. false and errno: no memory. */
bool touched_add(struct touched *touched, const struct trace_op *op, size_t word);
/* The next part begins. */
void touched_clear(struct touched *touched);
void touched_close(struct touched *touched);
/* How much of its block is touched that the step at a word has made or resized, at most all. */
size_t touched_of(const struct touched *touched, const uint64_t *at, const struct slot *slot);
/* The same of the block that the step is about to free or resize. */
size_t touched_before(const struct touched *touched, const uint64_t *at, const struct slot *slot);
/* Writes a byte to each page that the program touched, as if these were the first ones of the
   block, and to all pages where that is not known. The step at `at` has made the slot's block, or
   resized it from `had` bytes. */
void touched_write(const struct touched *touched, const uint64_t *at, const struct slot *slot,
                   size_t had);
/* As step_call for the step at *at, and touched_write after it. */
bool touched_call(const struct touched *touched, struct slot *table, const uint64_t **at,
                  int64_t *change);

#endif
