/*
 * Runs of the model (model.h) that leave evidence: each in a process of its own, so that a crash,
 * an abort and a loop are failures too; the operations up to the failure are written as a trace,
 * which the replayer runs on any allocator.
 */
#ifndef TESTS_MODEL_TRACE_H
#define TESTS_MODEL_TRACE_H

#include "model.h"

/*
 * Runs the plan in a child, which begins with this process's heaps as they are. false: `message`
 * tells the target, the seed, what went wrong, and where the trace lies: in TMPDIR, or /tmp.
 */
bool model_prove(const struct model_target *target, const struct model_plan *plan,
                 char message[MODEL_MESSAGE_MAX]);

#endif
