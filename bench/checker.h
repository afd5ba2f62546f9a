/*
 * Verifies what an allocator promises, step by step: every block is filled with a pattern of its
 * own over all bytes that may be used, and what was written is looked for when the block is freed
 * or resized, now and then in between, and at the end. Works with one thread and with many. It
 * takes no time; nothing is measured here.
 */
#ifndef BENCH_CHECKER_H
#define BENCH_CHECKER_H

#include "step_call.h"

#include <stdatomic.h>

enum { CHECKER_FAULT_BYTES = 200 };

/* What is known of a block besides what struct slot says. */
struct checked_block {
    _Atomic uint32_t lock; /* held by the thread that looks at the block or changes it */
    uint32_t made;         /* how often a block was made in this slot */
    size_t usable;         /* bytes, all of them filled */
};

struct checker {
    struct checked_block *block; /* by slot */
    size_t capacity;
    size_t slots; /* in use */
    size_t page_bytes;
    _Atomic bool has_fault;
    char fault[CHECKER_FAULT_BYTES]; /* the first one found; valid if has_fault and all have stopped
                                      */
};

/* false and errno on failure. */
bool checker_open(struct checker *checker, size_t slots);
/* Room for so many slots; only while no thread checks. false and errno. */
bool checker_make_room(struct checker *checker, size_t slots);
/*
 * As step_call, with every byte of the block written and everything verified. `random` is the
 * thread's own state of random numbers. false also where a fault was found: checker->has_fault.
 */
bool checker_call(struct checker *checker, struct slot *table, const uint64_t **at,
                  uint64_t *random);
/* Verifies and frees every block that is still there. false: a fault was found. */
bool checker_drain(struct checker *checker, struct slot *table);

#endif
