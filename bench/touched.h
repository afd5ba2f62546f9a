/*
 * How many bytes of each block the program ever touched. A trace may tell that when a block is
 * given up or resized; it is wanted when the block is made, so it is put down beside the step that
 * made it, as soon as the trace tells. Of a block that outlives the part that is decoded nothing is
 * known.
 */
#ifndef BENCH_TOUCHED_H
#define BENCH_TOUCHED_H

#include "step_call.h"

enum { TOUCHED_UNKNOWN = UINT32_MAX };

struct touched {
    bool is_asked;
    uint32_t *bytes; /* by the index of the step's word; valid where it makes or resizes a block */
    size_t capacity;
    size_t
        *made_by; /* by the trace's slots: index of that word and one more; 0: none in this part */
    size_t slots_capacity;
};

/* An operation whose step lies at a word of the part. false and errno: no memory. */
bool touched_add(struct touched *touched, const struct trace_op *op, size_t word);
/* The next part begins. */
void touched_clear(struct touched *touched);
void touched_close(struct touched *touched);
/*
 * As step_call for the step at *at, one of words; writes a byte to each page that the program
 * touched, as if these were the first ones of the block, and to all pages where that is not known.
 */
bool touched_call(const struct touched *touched, const uint64_t *words, struct slot *table,
                  const uint64_t **at, int64_t *change);

#endif
