/*
 * The rule of `trace filter`: whether an operation stays follows from the block that it is about.
 */
#include "filter.h"

#include "excerpt.h"
#include "in_out.h"
#include "selection.h"

#include <stdio.h>

enum { KINDS_ALL = (1u << TRACE_KINDS) - 1 };

struct filter {
    struct in_out paths;
    struct selection_range sizes;
    struct selection_threads threads;
    unsigned kinds;            /* a bit for each enum trace_kind */
    char step[SELECTION_STEP]; /* what was chosen, for the origin */
};

/* Whether a block that this thread made by this kind of call is kept while it has these bytes. */
static bool filter_wants(const struct filter *filter, unsigned kind, uint32_t thread,
                         uint64_t bytes)
{
    return filter->kinds >> kind & 1 && selection_has_thread(&filter->threads, thread) &&
           bytes >= filter->sizes.from && bytes < filter->sizes.to;
}

/* The bytes of a call that may have failed for asking too much. */
static uint64_t bytes_asked(const struct trace_op *op)
{
    uint64_t bytes;
    if (op->kind == TRACE_CALLOC && __builtin_mul_overflow(op->size, op->count, &bytes))
        return UINT64_MAX - 1;
    return trace_op_bytes(op);
}

static bool filter_named(const struct filter *filter, struct excerpt *excerpt,
                         const struct trace_op *op)
{
    const struct excerpt_block *block = excerpt_block(excerpt, op);
    if (op->flags & TRACE_FAILED || trace_op_frees(op))
        return block->kept ? excerpt_put(excerpt, op) : excerpt_skip(excerpt, op);
    bool wanted = filter_wants(filter, block->made_by, block->maker, op->size);
    if (wanted)
        return block->kept ? excerpt_put(excerpt, op) : excerpt_adopt(excerpt, op);
    if (block->kept && !excerpt_release(excerpt, op, op->thread))
        return false;
    return excerpt_skip(excerpt, op);
}

/* free(NULL) and free's kind are of no block: they stay where only threads are chosen. */
static bool filter_has_null(const struct filter *filter, const struct trace_op *op)
{
    return filter->kinds == KINDS_ALL && filter->sizes.from == 0 &&
           filter->sizes.to == UINT64_MAX && selection_has_thread(&filter->threads, op->thread);
}

/* An excerpt_rule. */
static bool filter_op(struct excerpt *excerpt, const struct trace_op *op, void *cookie)
{
    const struct filter *filter = cookie;
    if (!excerpt->writing && !excerpt_begin(excerpt, 0))
        return false;
    if (op->kind == TRACE_THREAD_START)
        return true; /* comes before the first operation that stays */
    if (op->kind == TRACE_THREAD_END)
        return excerpt_put(excerpt, op);
    if (excerpt_names(op))
        return filter_named(filter, excerpt, op);
    if (op->kind == TRACE_FREE)
        return !filter_has_null(filter, op) || excerpt_put(excerpt, op);
    bool wanted = filter_wants(filter, op->kind, op->thread, bytes_asked(op));
    return wanted ? excerpt_put(excerpt, op) : excerpt_skip(excerpt, op);
}

/* An in_out_take. */
static bool option_take(void *cookie, int option)
{
    struct filter *filter = cookie;
    switch (option) {
    case 's':
        return selection_option(filter->step, "sizes", optarg, "want MIN:MAX, such as 64:4K",
                                selection_sizes_parse(optarg, &filter->sizes));
    case 'k':
        return selection_option(filter->step, "kinds", optarg,
                                "want calls that make blocks, such as malloc,calloc",
                                selection_kinds_parse(optarg, &filter->kinds));
    case 'T':
        return selection_option(filter->step, "threads", optarg, "want numbers such as 0,3,5-9",
                                selection_threads_parse(optarg, &filter->threads));
    default:
        return false;
    }
}

int filter_main(int argc, char **argv)
{
    static const struct option known[] = {{"sizes", required_argument, NULL, 's'},
                                          {"kinds", required_argument, NULL, 'k'},
                                          {"threads", required_argument, NULL, 'T'},
                                          IN_OUT_OUTPUT,
                                          {0}};
    static struct filter filter;
    filter = (struct filter){
        .sizes = {0, UINT64_MAX}, .threads.any = true, .kinds = KINDS_ALL, .step = "filter"};
    if (!in_out_parse(&filter.paths, argc, argv, known, option_take, &filter,
                      "filter FILE [--threads LIST] [--sizes MIN:MAX] [--kinds LIST] -o OUT"))
        return 2;
    return excerpt_run(filter.paths.in, filter.paths.out, filter.step, filter_op, &filter);
}
