/*
 * The merge of traces: a reader for each file, the earliest operation is the next.
 */
#include "merge.h"

#include "pages.h"
#include "sites.h"
#include "slot_pool.h"
#include "trace_text.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { OPS_BYTES = TRACE_BLOCK_OPS * sizeof(struct trace_op) };

/* One file. */
struct source {
    struct trace_reader *reader;
    struct trace_op *ops; /* OPS_BYTES: those of one block of the file */
    size_t n, at;         /* n = 0: the file is at its end */
    uint64_t taken;       /* operations */
    uint64_t start_ns;    /* in what is written */
    uint32_t *slots;      /* slot in what is written, by that of the file */
    size_t slots_capacity;
    uint32_t *threads; /* likewise */
    uint32_t sites;    /* its sites' numbers are larger by this in what is written */
    size_t threads_capacity;
};

struct merge {
    struct source *sources;
    size_t count;
    bool by_share; /* not by time */
    struct trace_writer *writer;
    struct sites sites; /* those of all files */
    struct slot_pool pool;
    uint32_t threads;
    uint64_t time_ns; /* of the last operation */
    char error[TRACE_ERROR_MAX];
};

struct request {
    const char *out;
    char **in;
    size_t count;
    bool by_date;
};

static int merge_fail(const char *fault, int status)
{
    fprintf(stderr, "%s\n", fault);
    return status;
}

/* Place of a source's next operation among those of all. */
static uint64_t source_place(const struct merge *merge, const struct source *source)
{
    if (!merge->by_share)
        return source->start_ns + source->ops[source->at].time_ns;
    return (uint64_t)((double)source->taken / (double)trace_reader_totals(source->reader)->ops *
                      (1u << 30));
}

/* The source whose operation is next; NULL: all are at their end. */
static struct source *merge_next(const struct merge *merge)
{
    struct source *next = NULL;
    for (size_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        if (source->n > 0 &&
            (next == NULL || source_place(merge, source) < source_place(merge, next)))
            next = source;
    }
    return next;
}

static bool number_reserve(struct merge *merge, uint32_t **numbers, size_t *capacity, uint32_t i)
{
    void *p = *numbers;
    if (!pages_reserve(&p, capacity, sizeof **numbers, (size_t)i + 1)) {
        snprintf(merge->error, sizeof merge->error, "merging: %s", strerror(errno));
        return false;
    }
    *numbers = p;
    return true;
}

/* Gives op the slot and the thread that it has in what is written. */
static bool op_number(struct merge *merge, struct source *source, struct trace_op *op)
{
    if (!number_reserve(merge, &source->threads, &source->threads_capacity, op->thread))
        return false;
    if (op->kind == TRACE_THREAD_START)
        source->threads[op->thread] = merge->threads++;
    op->thread = source->threads[op->thread];
    op->site += op->site > 0 ? source->sites : 0;
    if (op->slot == TRACE_NO_SLOT)
        return true;
    uint32_t slot = op->slot;
    if (!number_reserve(merge, &source->slots, &source->slots_capacity, slot))
        return false;
    bool ok = true;
    if (trace_op_makes(op))
        ok = slot_pool_take(&merge->pool, &source->slots[slot]);
    op->slot = source->slots[slot];
    if (trace_op_frees(op))
        ok = slot_pool_put(&merge->pool, op->slot);
    if (!ok)
        snprintf(merge->error, sizeof merge->error, "merging: %s", strerror(errno));
    return ok;
}

static bool op_write(struct merge *merge, struct source *source)
{
    struct trace_op op = source->ops[source->at++];
    source->taken++;
    uint64_t time = source->start_ns + op.time_ns;
    merge->time_ns = time > merge->time_ns ? time : merge->time_ns;
    op.time_ns = merge->time_ns;
    return op_number(merge, source, &op) && trace_writer_add(merge->writer, &op);
}

static bool source_fill(struct source *source)
{
    source->at = 0;
    return trace_reader_next(source->reader, source->ops, &source->n);
}

/* Writes all operations. 0, 1 or 2. */
static int merge_run(struct merge *merge)
{
    struct source *source;
    while ((source = merge_next(merge)) != NULL) {
        uint64_t place = source_place(merge, source);
        do {
            if (!op_write(merge, source))
                return merge_fail(
                    merge->error[0] ? merge->error : trace_writer_error(merge->writer), 1);
        } while (source->at < source->n && source_place(merge, source) == place);
        if (source->at == source->n && !source_fill(source))
            return merge_fail(trace_reader_error(source->reader), 2);
    }
    return 0;
}

/* Seconds since 1970 of the origin's date; 0: it has none that can be read. */
static time_t date_of(const char *origin)
{
    struct text_line line;
    while (text_line_take(&origin, &line)) {
        char text[64];
        struct tm date = {0};
        if (!text_line_is(&line, "date"))
            continue;
        snprintf(text, sizeof text, "%.*s", (int)line.value_length, line.value);
        return strptime(text, "%Y-%m-%dT%H:%M:%SZ", &date) ? timegm(&date) : 0;
    }
    return 0;
}

/* false after a message: a file has no date. */
static bool sources_date(struct merge *merge, const struct request *request)
{
    time_t first = 0;
    for (size_t i = 0; i < merge->count; i++) {
        time_t date = date_of(trace_reader_origin(merge->sources[i].reader));
        if (date <= 0) {
            fprintf(stderr, "%s: has no date; merge without --by-date\n", request->in[i]);
            return false;
        }
        first = i == 0 || date < first ? date : first;
        merge->sources[i].start_ns = (uint64_t)date;
    }
    for (size_t i = 0; i < merge->count; i++)
        merge->sources[i].start_ns =
            (merge->sources[i].start_ns - (uint64_t)first) * UINT64_C(1000000000);
    return true;
}

/* A build's processes are thousands, and each file stays open. */
static void files_allow(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static bool sources_open(struct merge *merge, const struct request *request)
{
    char error[TRACE_ERROR_MAX];
    files_allow();
    for (size_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        source->reader = trace_reader_open(request->in[i], error);
        source->ops = pages_map(OPS_BYTES);
        if (source->reader == NULL || source->ops == NULL) {
            fprintf(stderr, "%s\n", source->reader ? strerror(errno) : error);
            return false;
        }
        if (!source_fill(source)) {
            fprintf(stderr, "%s\n", trace_reader_error(source->reader));
            return false;
        }
        const struct trace_totals *totals = trace_reader_totals(source->reader);
        merge->by_share = merge->by_share || (totals->duration_ns == 0 && totals->ops > 1);
    }
    if (!request->by_date)
        return true;
    merge->by_share = false;
    return sources_date(merge, request);
}

/* Puts the sites of all files into one table. Returns the columns that any of the files has; false
   after a message. */
static bool sites_merge(struct merge *merge, unsigned *columns)
{
    *columns = 0;
    for (size_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        *columns |= trace_reader_columns(source->reader);
        if (!sites_join(&merge->sites, trace_reader_sites(source->reader), &source->sites)) {
            fprintf(stderr, "merging the tables of sites: %s\n", strerror(errno));
            return false;
        }
    }
    return true;
}

/* Names the files and their programs, one that is the same as that before not again. */
static bool writer_open(struct merge *merge, const struct request *request)
{
    struct trace_text origin = {.length = 0};
    char error[TRACE_ERROR_MAX], number[32];
    char program[256] = "";
    unsigned columns;
    if (!sites_merge(merge, &columns))
        return false;
    snprintf(number, sizeof number, "%zu", merge->count);
    trace_text_add(&origin, "source", "merged");
    trace_text_add(&origin, "tool", "spanbench " SPANBENCH_VERSION);
    trace_text_add(&origin, "merged", number);
    for (size_t i = 0; i < merge->count; i++) {
        const char *text = trace_reader_origin(merge->sources[i].reader);
        struct text_line line;
        char value[256];
        trace_text_extend(&origin, "input", request->in[i]);
        while (text_line_take(&text, &line)) {
            snprintf(value, sizeof value, "%.*s", (int)line.value_length, line.value);
            if (!text_line_is(&line, "program") || strcmp(value, program) == 0)
                continue;
            trace_text_extend(&origin, "program", value);
            memcpy(program, value, sizeof program);
        }
    }
    merge->writer = trace_writer_open_columns(request->out, origin.bytes, columns, error);
    if (merge->writer == NULL) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    trace_writer_sites(merge->writer, &merge->sites);
    return true;
}

/* Counts are added up; of words each key's first stays. */
static void losses_join(struct trace_text *losses, const char *given)
{
    struct text_line line, known;
    char key[64];
    while (text_line_take(&given, &line)) {
        const char *rest = losses->bytes;
        uint64_t n;
        bool there = false;
        snprintf(key, sizeof key, "%.*s", (int)line.key_length, line.key);
        while (!there && text_line_take(&rest, &known))
            there = text_line_is(&known, key);
        if (text_line_count(&line, &n))
            trace_text_count(losses, key, n);
        else if (!there)
            trace_text_add_line(losses, &line);
    }
}

static int merge_finish(struct merge *merge)
{
    struct trace_text losses = {.length = 0};
    char error[TRACE_ERROR_MAX];
    for (size_t i = 0; i < merge->count; i++)
        losses_join(&losses, trace_reader_losses(merge->sources[i].reader));
    struct trace_writer *writer = merge->writer;
    merge->writer = NULL;
    return trace_writer_finish(writer, losses.bytes, error) ? 0 : merge_fail(error, 1);
}

static void merge_close(struct merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        struct source *source = &merge->sources[i];
        if (source->reader != NULL)
            trace_reader_close(source->reader);
        pages_unmap(source->ops, source->ops ? (size_t)OPS_BYTES : 0);
        pages_unmap(source->slots, source->slots_capacity * sizeof *source->slots);
        pages_unmap(source->threads, source->threads_capacity * sizeof *source->threads);
    }
    slot_pool_close(&merge->pool);
    sites_close(&merge->sites);
    if (merge->writer != NULL)
        trace_writer_abandon(merge->writer);
    free(merge->sources);
}

static bool request_parse(struct request *request, int argc, char **argv)
{
    static const struct option known[] = {
        {"by-date", no_argument, NULL, 'd'}, {"output", required_argument, NULL, 'o'}, {0}};
    int option;
    *request = (struct request){0};
    while ((option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        if (option == 'd')
            request->by_date = true;
        else if (option == 'o')
            request->out = optarg;
        else
            return false;
    }
    request->in = argv + optind;
    request->count = (size_t)(argc - optind);
    return request->out != NULL && request->count > 0;
}

int merge_main(int argc, char **argv)
{
    static struct merge merge;
    struct request request;
    if (!request_parse(&request, argc, argv))
        return merge_fail("usage: trace merge [--by-date] FILE... -o OUT", 2);
    merge = (struct merge){.count = request.count};
    merge.sources = calloc(request.count, sizeof *merge.sources);
    if (merge.sources == NULL)
        return merge_fail(strerror(errno), 1);
    int status = 2;
    if (sources_open(&merge, &request) && writer_open(&merge, &request))
        status = merge_run(&merge);
    if (status == 0)
        status = merge_finish(&merge);
    merge_close(&merge);
    return status;
}
