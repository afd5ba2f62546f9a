/*
 * The rule of `trace subset`: units are numbered in the order of the trace, and those that a file
 * lists stay.
 */
#include "subset.h"

#include "excerpt.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subset {
    uint64_t *words; /* the units that are kept: bit i of word i / 64 */
    uint64_t units;  /* no more than that */
    uint64_t unit;   /* the next one */
};

/* Belongs to the unit that made the block. */
static bool op_ends(const struct trace_op *op)
{
    return trace_op_frees(op) && op->slot != TRACE_NO_SLOT;
}

static bool op_is_of_thread(const struct trace_op *op)
{
    return op->kind == TRACE_THREAD_START || op->kind == TRACE_THREAD_END;
}

/* Whether a call stays, and the count of units goes on. */
static bool op_stays(struct subset *subset, struct excerpt *excerpt, const struct trace_op *op)
{
    if (op_ends(op))
        return excerpt_block(excerpt, op)->kept;
    uint64_t unit = subset->unit++;
    bool stays = subset->words[unit / 64] >> unit % 64 & 1;
    bool named = excerpt_names(op) && op->slot != TRACE_NO_SLOT;
    return stays && (!named || excerpt_block(excerpt, op)->kept);
}

/* An excerpt_rule. */
static bool subset_op(struct excerpt *excerpt, const struct trace_op *op, void *cookie)
{
    if (!excerpt->writing && !excerpt_begin(excerpt, 0))
        return false;
    if (op->kind == TRACE_THREAD_START)
        return true; /* comes before the first operation that stays */
    if (op->kind == TRACE_THREAD_END)
        return excerpt_put(excerpt, op);
    return op_stays(cookie, excerpt, op) ? excerpt_put(excerpt, op) : excerpt_skip(excerpt, op);
}

/* Reads lines "FIRST END"; false: a line is on stderr. */
static bool kept_read(struct subset *subset, const char *path)
{
    uint64_t first, end, last = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    int got;
    bool ascends = true;
    while (ascends && (got = fscanf(file, "%" SCNu64 " %" SCNu64, &first, &end)) == 2) {
        ascends = first >= last && end > first && end <= subset->units;
        for (uint64_t unit = first; ascends && unit < end; unit++)
            subset->words[unit / 64] |= UINT64_C(1) << unit % 64;
        last = end;
    }
    fclose(file);
    if (ascends && got == EOF)
        return true;
    fprintf(stderr, "%s: not lines of two numbers that ascend to %" PRIu64 "\n", path,
            subset->units);
    return false;
}

/* Reads the whole trace; a line on stderr and false if it is no good. */
static bool units_count(const char *path, uint64_t *units)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    char error[TRACE_ERROR_MAX];
    struct trace_reader *reader = trace_reader_open(path, error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    size_t n = 0;
    bool good;
    while ((good = trace_reader_next(reader, ops, &n)) && n > 0) {
        for (size_t i = 0; i < n; i++)
            *units += !op_is_of_thread(&ops[i]) && !op_ends(&ops[i]);
    }
    if (!good)
        fprintf(stderr, "%s\n", trace_reader_error(reader));
    trace_reader_close(reader);
    return good;
}

static int subset_make(struct subset *subset, const char *keep, const char *in, const char *out)
{
    int status = 2;
    subset->words = calloc(subset->units / 64 + 1, sizeof *subset->words);
    if (subset->words == NULL)
        fprintf(stderr, "%s: %s\n", in, strerror(errno));
    else if (kept_read(subset, keep))
        status = excerpt_run(in, out, NULL, subset_op, subset);
    free(subset->words);
    return status;
}

int subset_main(int argc, char **argv)
{
    static const struct option known[] = {
        {"keep", required_argument, NULL, 'k'}, {"output", required_argument, NULL, 'o'}, {0}};
    const char *keep = NULL;
    const char *out = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        if (option == 'k')
            keep = optarg;
        else if (option == 'o')
            out = optarg;
        else
            argc = 0;
    }
    if (optind + 1 != argc || (keep == NULL) != (out == NULL)) {
        fputs("usage: trace subset [--keep FILE -o OUT] IN\n", stderr);
        return 2;
    }
    struct subset subset = {0};
    if (!units_count(argv[optind], &subset.units))
        return 2;
    if (keep != NULL)
        return subset_make(&subset, keep, argv[optind], out);
    printf("%" PRIu64 "\n", subset.units);
    return 0;
}
