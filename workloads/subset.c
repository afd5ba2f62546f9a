/*
 * Two passes: the first one finds which threads have a call left, since threads are numbered by
 * those that start; the second one writes. Units are numbered in the order of the trace, alike in
 * both.
 */
#include "subset.h"

#include "trace_copy.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ABSENT = UINT32_MAX };

/* The units that are kept: bit i of word i / 64. */
struct kept {
    uint64_t *words;
    uint64_t units;
};

/* What is known while a trace is gone through. */
struct walk {
    struct trace_reader *reader;
    const struct kept *kept;
    uint64_t unit;     /* the next one */
    bool *slot_kept;   /* by slot: the block that lives there */
    uint32_t *numbers; /* of threads in OUT; ABSENT: no call of it is left */
    struct trace_op *ops;
};

static bool unit_is_kept(const struct kept *kept, uint64_t unit)
{
    return kept->words[unit / 64] >> unit % 64 & 1;
}

static bool op_is_resize(const struct trace_op *op)
{
    bool names = op->kind == TRACE_REALLOC && !(op->flags & TRACE_NULL);
    return names && !trace_op_frees(op);
}

/* Whether a call stays, and the count of units goes on. Not for starts and ends of threads. */
static bool op_stays(struct walk *walk, const struct trace_op *op)
{
    bool ends = trace_op_frees(op) && op->slot != TRACE_NO_SLOT;
    if (ends)
        return walk->slot_kept[op->slot];
    bool stays = unit_is_kept(walk->kept, walk->unit++);
    if (trace_op_makes(op))
        walk->slot_kept[op->slot] = stays;
    else if (op_is_resize(op) && op->slot != TRACE_NO_SLOT)
        stays = stays && walk->slot_kept[op->slot];
    return stays;
}

static bool op_is_of_thread(const struct trace_op *op)
{
    return op->kind == TRACE_THREAD_START || op->kind == TRACE_THREAD_END;
}

/* Reads a block; a line on stderr and false if the trace is no good. */
static bool walk_next(struct walk *walk, size_t *n)
{
    if (trace_reader_next(walk->reader, walk->ops, n))
        return true;
    fprintf(stderr, "%s\n", trace_reader_error(walk->reader));
    return false;
}

static uint64_t units_of(const struct trace_totals *totals)
{
    return totals->ops; /* no more than that */
}

static bool walk_open(struct walk *walk, const char *path, const struct kept *kept)
{
    char error[TRACE_ERROR_MAX];
    *walk = (struct walk){.kept = kept};
    walk->reader = trace_reader_open(path, error);
    if (walk->reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    walk->ops = calloc(TRACE_BLOCK_OPS, sizeof(*walk->ops));
    walk->slot_kept = calloc(trace_reader_totals(walk->reader)->slots + 1, sizeof(bool));
    if (walk->ops == NULL || walk->slot_kept == NULL)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return walk->ops != NULL && walk->slot_kept != NULL;
}

static void walk_close(struct walk *walk)
{
    free(walk->ops);
    free(walk->slot_kept);
    if (walk->reader != NULL)
        trace_reader_close(walk->reader);
}

/* Fills numbers[threads]; false: a line is on stderr. */
static bool threads_number(const char *path, const struct kept *kept, uint32_t *numbers,
                           uint64_t threads)
{
    struct walk walk;
    size_t n = 0;
    bool good = walk_open(&walk, path, kept);
    while (good && (good = walk_next(&walk, &n)) && n > 0)
        for (size_t i = 0; i < n; i++)
            if (!op_is_of_thread(&walk.ops[i]) && op_stays(&walk, &walk.ops[i]))
                numbers[walk.ops[i].thread] = 0;
    walk_close(&walk);
    uint32_t next = 0;
    for (uint64_t i = 0; i < threads; i++)
        numbers[i] = numbers[i] == ABSENT ? ABSENT : next++;
    return good;
}

/* 0, or the status and a line on stderr. */
static int ops_write(struct walk *walk, struct trace_writer *writer)
{
    size_t n = 0;
    do {
        if (!walk_next(walk, &n))
            return 2;
        for (size_t i = 0; i < n; i++) {
            struct trace_op op = walk->ops[i];
            bool stays = op_is_of_thread(&op) ? walk->numbers[op.thread] != ABSENT
                                              : op_stays(walk, &walk->ops[i]);
            op.thread = walk->numbers[op.thread];
            op.flags &= (uint8_t)~TRACE_HANDOFF;
            if (stays && !trace_writer_add(writer, &op)) {
                fprintf(stderr, "%s\n", trace_writer_error(writer));
                return 1;
            }
        }
    } while (n > 0);
    return 0;
}

static int subset_write(struct walk *walk, const char *out)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer =
        trace_copy_open(out, trace_reader_origin(walk->reader), walk->reader, error);
    if (writer == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = ops_write(walk, writer);
    if (status != 0) {
        trace_writer_abandon(writer);
        return status;
    }
    if (trace_writer_finish(writer, trace_reader_losses(walk->reader), error))
        return 0;
    fprintf(stderr, "%s\n", error);
    return 1;
}

/* Reads lines "FIRST END"; false: a line is on stderr. */
static bool kept_read(struct kept *kept, const char *path)
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
        ascends = first >= last && end > first && end <= kept->units;
        for (uint64_t unit = first; ascends && unit < end; unit++)
            kept->words[unit / 64] |= UINT64_C(1) << unit % 64;
        last = end;
    }
    fclose(file);
    if (ascends && got == EOF)
        return true;
    fprintf(stderr, "%s: not lines of two numbers that ascend to %" PRIu64 "\n", path, kept->units);
    return false;
}

static int units_print(const char *path)
{
    struct walk walk;
    struct kept none = {0};
    size_t n = 0;
    uint64_t units = 0;
    bool good = walk_open(&walk, path, &none);
    while (good && (good = walk_next(&walk, &n)) && n > 0)
        for (size_t i = 0; i < n; i++) {
            const struct trace_op *op = &walk.ops[i];
            bool ends = trace_op_frees(op) && op->slot != TRACE_NO_SLOT;
            units += !op_is_of_thread(op) && !ends;
        }
    walk_close(&walk);
    if (!good)
        return 2;
    printf("%" PRIu64 "\n", units);
    return 0;
}

static int subset_make(const char *keep, const char *in, const char *out)
{
    struct walk walk;
    struct kept kept = {0};
    uint32_t *numbers = NULL;
    int status = 2;
    if (walk_open(&walk, in, &kept)) {
        const struct trace_totals *totals = trace_reader_totals(walk.reader);
        kept.units = units_of(totals);
        kept.words = calloc(kept.units / 64 + 1, sizeof(uint64_t));
        numbers = malloc((totals->threads + 1) * sizeof(*numbers));
        walk.numbers = numbers;
        if (kept.words == NULL || numbers == NULL) {
            fprintf(stderr, "%s: %s\n", in, strerror(errno));
            status = 1;
        } else {
            memset(numbers, 0xff, (totals->threads + 1) * sizeof(*numbers));
            if (kept_read(&kept, keep) && threads_number(in, &kept, numbers, totals->threads))
                status = subset_write(&walk, out);
        }
    }
    walk_close(&walk);
    free(kept.words);
    free(numbers);
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
    return keep ? subset_make(keep, argv[optind], out) : units_print(argv[optind]);
}
