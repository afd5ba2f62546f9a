/*
 * The serial replay loop: one thread calls malloc and its family as the steps say, in recorded
 * order, and takes the time around it. No counter, no probe and no system call is in the loop.
 * Threads that each make their own calls are lanes.h; what is done with the figures is replay.c.
 */
#ifndef BENCH_REPLAYER_H
#define BENCH_REPLAYER_H

#include "checker.h"
#include "cost.h"
#include "latency.h"
#include "program_model.h"
#include "touched.h"

struct replayer {
    struct slot *table;
    size_t slots; /* of the table, the slot of free(NULL) included */
    enum touch touch;
    bool counts_live;              /* keep `live`; costs time, so not where time is measured */
    uint64_t live;                 /* requested bytes not yet freed; valid if counts_live */
    uint64_t peak_live;            /* the most so far; valid if counts_live */
    struct checker *checker;       /* verifies every call; NULL: none */
    struct latency *latency;       /* times calls; NULL: none */
    bool models_program;           /* as program_model.h says, around each call */
    const struct touched *touched; /* of the steps of this part; valid if TOUCH_RECORDED */
    struct latency_thread timed;
    struct cost cost; /* of the timed parts */
};

/* Maps and faults in the table for slots 0 .. last; false and errno on failure. */
bool replayer_open(struct replayer *replayer, uint32_t last, enum touch touch, bool counts_live);
void replayer_close(struct replayer *replayer);
/* Faults the table in again, for a copy of the process shares it with its parent at first. */
void replayer_touch(struct replayer *replayer);
/*
 * Executes the steps [at, end) and adds the cost. Returns end, or the step whose call returned
 * NULL for more than zero bytes: nothing after it was executed.
 */
const uint64_t *replayer_run(struct replayer *replayer, const uint64_t *at, const uint64_t *end);
/* Frees every block that is still live. Not timed. */
void replayer_drain(struct replayer *replayer);

#endif
