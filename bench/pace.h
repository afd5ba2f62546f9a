/*
 * How threads of a replay wait for each other: for a mark that another thread raises, spinning for
 * a moment and then asleep. It knows nothing of traces; who waits for what is streams.h.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CACHE_LINE = 64 };

/* Where threads sleep until a mark has been raised far enough. */
struct gate {
    _Alignas(CACHE_LINE) _Atomic uint64_t wanted; /* least count that a sleeper waits for */
    _Atomic uint32_t turns;                       /* the word that is slept on */
};

/* A count that only grows. */
struct mark {
    _Alignas(CACHE_LINE) _Atomic uint64_t reached;
};

/* What one thread waited, in ns of wall time. */
struct waited {
    uint64_t wait_ns; /* in all */
    uint64_t spin_ns; /* of it, on the processor */
};

/* What the threads of a replay share. */
struct pace {
    _Atomic bool given_up;  /* all waits end */
    _Atomic unsigned spins; /* looks at a mark before sleeping */
};

/* Spins only if `threads` at once have a processor each. */
void pace_open(struct pace *pace, unsigned threads);
/* A gate at which nobody sleeps. */
void gate_open(struct gate *gate);
/* Ends all waits, soon: sleepers look a few times a second. */
void pace_give_up(struct pace *pace);

static inline bool mark_has(const struct mark *mark, uint64_t count)
{
    return atomic_load_explicit(&mark->reached, memory_order_acquire) >= count;
}

/* Waits until the mark has reached count; false where the replay was given up. What the raiser did
   before is seen then. */
bool mark_await(const struct mark *mark, uint64_t count, struct gate *gate, struct pace *pace,
                struct waited *waited);
/* Sets the mark, which one thread at a time does; who sleeps is woken by mark_tell. */
static inline void mark_raise(struct mark *mark, uint64_t count)
{
    atomic_store_explicit(&mark->reached, count, memory_order_release);
}

/* Wakes those at the gate for whom the mark has been raised far enough. To be called before the
   raiser itself waits, and often enough: a wake takes as long as a thousand steps. */
void mark_tell(struct mark *mark, struct gate *gate);

#endif
