/*
 * The rule of `trace cut`: operations that lie in the range and are of a listed thread. What other
 * threads do to the blocks of listed ones ends them, so that live bytes stay what they were.
 */
#include "cut.h"

#include "excerpt.h"
#include "in_out.h"
#include "selection.h"

#include <stdio.h>

struct cut {
    struct in_out paths;
    struct selection_range ops;
    struct selection_range time_ns;
    struct selection_threads threads;
    uint64_t number;           /* of the operation that comes */
    uint64_t time;             /* of the one before, in ns */
    char step[SELECTION_STEP]; /* what was chosen, for the origin */
};

/* An operation of a listed thread on a block that lives. */
static bool cut_named(struct excerpt *excerpt, const struct trace_op *op)
{
    if (excerpt_block(excerpt, op)->kept)
        return excerpt_put(excerpt, op);
    if (trace_op_frees(op))
        excerpt->left_out_frees += excerpt->writing;
    if (op->flags & TRACE_FAILED || trace_op_frees(op))
        return true;
    return excerpt_adopt(excerpt, op);
}

/* The same of any other thread. */
static bool cut_named_outside(struct excerpt *excerpt, const struct trace_op *op)
{
    struct excerpt_block *block = excerpt_block(excerpt, op);
    if (!block->kept || op->flags & TRACE_FAILED)
        return true;
    return excerpt_release(excerpt, op, block->thread);
}

static bool cut_has(const struct cut *cut, const struct trace_op *op)
{
    return cut->number >= cut->ops.from && op->time_ns >= cut->time_ns.from;
}

/* An excerpt_rule. */
static bool cut_op(struct excerpt *excerpt, const struct trace_op *op, void *cookie)
{
    struct cut *cut = cookie;
    if (cut->number >= cut->ops.to || op->time_ns >= cut->time_ns.to) {
        excerpt->done = true;
        return true;
    }
    if (!excerpt->writing && cut_has(cut, op)) {
        uint64_t from = cut->time_ns.from;
        if (!excerpt_begin(excerpt, from > cut->time ? from : cut->time))
            return false;
    }
    cut->number++;
    cut->time = op->time_ns;
    bool listed = selection_has_thread(&cut->threads, op->thread);
    if (excerpt_names(op))
        return listed ? cut_named(excerpt, op) : cut_named_outside(excerpt, op);
    return !listed || excerpt_put(excerpt, op);
}

/* An in_out_take. */
static bool option_take(void *cookie, int option)
{
    struct cut *cut = cookie;
    switch (option) {
    case 'n':
        return selection_option(cut->step, "ops", optarg, "want FROM:TO, numbers of operations",
                                selection_range_parse(optarg, SELECTION_OPS, &cut->ops));
    case 't':
        return selection_option(cut->step, "time", optarg, "want FROM:TO, seconds",
                                selection_range_parse(optarg, SELECTION_SECONDS, &cut->time_ns));
    case 'T':
        return selection_option(cut->step, "threads", optarg, "want numbers such as 0,3,5-9",
                                selection_threads_parse(optarg, &cut->threads));
    default:
        return false;
    }
}

int cut_main(int argc, char **argv)
{
    static const struct option known[] = {{"ops", required_argument, NULL, 'n'},
                                          {"time", required_argument, NULL, 't'},
                                          {"threads", required_argument, NULL, 'T'},
                                          IN_OUT_OUTPUT,
                                          {0}};
    static struct cut cut;
    cut = (struct cut){
        .ops = {0, UINT64_MAX}, .time_ns = {0, UINT64_MAX}, .threads.any = true, .step = "cut"};
    if (!in_out_parse(&cut.paths, argc, argv, known, option_take, &cut,
                      "cut FILE [--ops A:B] [--time A:B] [--threads LIST] -o OUT"))
        return 2;
    return excerpt_run(cut.paths.in, cut.paths.out, cut.step, cut_op, &cut);
}
