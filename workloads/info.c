/*
 * The census of a trace, printed as one JSON object. The page for people is made from it elsewhere.
 */
#include "info.h"

#include "census.h"
#include "in_out.h"
#include "json_print.h"
#include "pages.h"
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TOP_SIZES = 20, TOP_THREADS = 64, TOP_PAIRS = 256 };

struct info {
    const char *path;
    bool all_sizes; /* not only the commonest */
    struct trace_reader *reader;
    struct census census;
    uint64_t file_bytes;
    uint64_t blocks; /* of the file */
};

/* NULL, or what went wrong. */
static const char *census_take(struct info *info, struct trace_op *ops)
{
    if (!census_open(&info->census, trace_reader_totals(info->reader)->ops))
        return strerror(errno);
    for (;; info->blocks++) {
        size_t n;
        if (!trace_reader_next(info->reader, ops, &n))
            return trace_reader_error(info->reader);
        if (n == 0)
            break;
        for (size_t i = 0; i < n; i++) {
            if (!census_add(&info->census, &ops[i]))
                return strerror(errno);
        }
    }
    census_end(&info->census);
    return NULL;
}

static void kinds_print(const char *name, const uint64_t by_kind[TRACE_KINDS], bool zeros)
{
    const char *comma = "";
    printf("  \"%s\": {", name);
    for (int i = 0; i < TRACE_KINDS; i++) {
        if (by_kind[i] == 0 && !zeros)
            continue;
        printf("%s\"%s\": %" PRIu64, comma, trace_kind_name(i), by_kind[i]);
        comma = ", ";
    }
    puts("},");
}

static void totals_print(const struct trace_totals *totals)
{
    json_number("ops", totals->ops);
    kinds_print("by_kind", totals->by_kind, true);
    json_number("failed", totals->failed);
    json_number("null_frees", totals->null_frees);
    json_number("handoffs", totals->handoffs);
    json_number("threads", totals->threads);
    json_number("slots", totals->slots);
    json_number("peak_live", totals->peak_live);
    json_number("final_live", totals->final_live);
    json_number("final_slots", totals->final_slots);
    json_number("duration_ns", totals->duration_ns);
    json_number("bytes_requested", totals->bytes_requested);
}

static void shares_print(const struct trace_totals *totals)
{
    const uint64_t *kinds = totals->by_kind;
    uint64_t calls = totals->ops - kinds[TRACE_THREAD_START] - kinds[TRACE_THREAD_END];
    uint64_t aligned = kinds[TRACE_ALIGNED_ALLOC] + kinds[TRACE_MEMALIGN] +
                       kinds[TRACE_POSIX_MEMALIGN] + kinds[TRACE_VALLOC] + kinds[TRACE_PVALLOC];
    json_share("realloc_share", (double)kinds[TRACE_REALLOC], (double)calls);
    json_share("aligned_share", (double)aligned, (double)calls);
}

/* Buckets that are not empty: from and to are included. */
static void buckets_print(const char *name, const uint64_t buckets[CENSUS_BUCKETS], const char *end)
{
    const char *comma = "";
    printf("  \"%s\": [", name);
    for (unsigned i = 0; i < CENSUS_BUCKETS; i++) {
        uint64_t from = i == 0 ? 0 : UINT64_C(1) << (i - 1);
        uint64_t to = i == 0 ? 0 : from + (from - 1);
        if (buckets[i] == 0)
            continue;
        printf("%s\n    {\"from\": %" PRIu64 ", \"to\": %" PRIu64 ", \"count\": %" PRIu64 "}",
               comma, from, to, buckets[i]);
        comma = ",";
    }
    printf("\n  ]%s\n", end);
}

static void top_print(const char *name, const char *key, const struct count *top, size_t n,
                      const char *end)
{
    printf("  \"%s\": [", name);
    for (size_t i = 0; i < n; i++)
        printf("%s\n    {\"%s\": %" PRIu64 ", \"count\": %" PRIu64 "}", i ? "," : "", key,
               top[i].key, top[i].count);
    printf("\n  ]%s\n", end);
}

/* NULL, or what went wrong. Joins the sizes of both kinds of counts. */
static const char *sizes_print(struct info *info)
{
    struct census *census = &info->census;
    for (size_t i = 0; i < CENSUS_EXACT_BYTES; i++) {
        if (!count_map_add(&census->large, i, census->exact[i]))
            return strerror(errno);
    }
    uint64_t rest = census->large.rest;
    size_t n = count_map_sort(&census->large);
    top_print("top_sizes", "size", census->large.entries, n < TOP_SIZES ? n : TOP_SIZES, ",");
    if (!info->all_sizes)
        return NULL;
    top_print("all_sizes", "size", census->large.entries, n, ",");
    json_number("other_sizes", rest);
    return NULL;
}

/* NULL, or what went wrong. */
static const char *threads_print(const struct census *census)
{
    struct count_map threads = {.size = 0};
    for (size_t i = 0; i < census->threads_capacity; i++) {
        if (!count_map_add(&threads, i, census->threads[i]))
            return strerror(errno);
    }
    size_t n = count_map_sort(&threads);
    top_print("thread_ops", "thread", threads.entries, n < TOP_THREADS ? n : TOP_THREADS, ",");
    count_map_close(&threads);
    return NULL;
}

/* Frees and resizes by the thread that made or last resized the block and the one that does it. */
static void pairs_print(struct census *census)
{
    uint64_t rest = census->pairs.rest;
    size_t n = count_map_sort(&census->pairs);
    const struct count *pairs = census->pairs.entries;
    printf("  \"frees_by_owner\": [");
    for (size_t i = 0; i < n; i++) {
        if (i < TOP_PAIRS)
            printf("%s\n    {\"owner\": %" PRIu64 ", \"by\": %" PRIu64 ", \"count\": %" PRIu64 "}",
                   i ? "," : "", pairs[i].key >> 32, pairs[i].key & UINT32_MAX, pairs[i].count);
        else
            rest += pairs[i].count;
    }
    puts("\n  ],");
    json_number("frees_by_other_pairs", rest);
}

static void reallocs_print(const struct census_reallocs *reallocs)
{
    printf("  \"reallocs\": {\"grow\": %" PRIu64 ", \"shrink\": %" PRIu64 ", \"same\": %" PRIu64
           ", \"to_zero\": %" PRIu64 ", \"of_null\": %" PRIu64 ", \"failed\": %" PRIu64
           ", \"bytes_grown\": %" PRIu64 "},\n",
           reallocs->grow, reallocs->shrink, reallocs->same, reallocs->to_zero, reallocs->of_null,
           reallocs->failed, reallocs->bytes_grown);
    buckets_print("resizes_of_a_block", reallocs->resizes, ",");
}

static void lifetimes_print(const struct census *census)
{
    double freed = (double)census->freed;
    buckets_print("lifetimes", census->in_allocations.buckets, ",");
    buckets_print("lifetimes_ops", census->in_ops.buckets, ",");
    buckets_print("lifetimes_bytes", census->in_bytes.buckets, ",");
    json_number("allocations", census->allocations);
    json_number("freed_blocks", census->freed);
    json_share("mean_lifetime", census->in_allocations.sum, freed);
    json_share("mean_lifetime_ops", census->in_ops.sum, freed);
    json_share("mean_lifetime_bytes", census->in_bytes.sum, freed);
}

static void curve_print(const struct census *census)
{
    printf("  \"peak\": {\"op\": %" PRIu64 ", \"time_ns\": %" PRIu64 ", \"blocks\": %" PRIu64
           "},\n",
           census->peak_op, census->peak_time_ns, census->peak_blocks);
    printf("  \"live_curve\": [");
    for (size_t i = 0; i < census->points_used; i++) {
        const struct census_point *point = &census->points[i];
        printf("%s\n    {\"ops\": %" PRIu64 ", \"time_ns\": %" PRIu64 ", \"live\": %" PRIu64
               ", \"peak\": %" PRIu64 ", \"blocks\": %" PRIu64 "}",
               i ? "," : "", point->ops, point->time_ns, point->live, point->peak, point->blocks);
    }
    puts("\n  ]");
}

static void columns_print(unsigned columns)
{
    const char *separator = "";
    fputs("  \"columns\": [", stdout);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"gaps", "sites", "present"};
        if (!(columns >> i & 1))
            continue;
        printf("%s\"%s\"", separator, names[i]);
        separator = ", ";
    }
    puts("],");
}

/* NULL, or what went wrong. */
static const char *info_print(struct info *info)
{
    const struct trace_totals *totals = trace_reader_totals(info->reader);
    struct census *census = &info->census;
    puts("{");
    totals_print(totals);
    json_number("file_bytes", info->file_bytes);
    json_share("bytes_per_op", (double)info->file_bytes, (double)totals->ops);
    json_number("blocks", info->blocks);
    json_number("version", trace_reader_columns(info->reader) != 0 ? 2 : 1);
    columns_print(trace_reader_columns(info->reader));
    shares_print(totals);
    json_text("origin", trace_reader_origin(info->reader), false);
    json_text("losses", trace_reader_losses(info->reader), true);
    kinds_print("failed_by_kind", census->failed, false);
    buckets_print("sizes", census->sizes, ",");
    const char *fault = sizes_print(info);
    if (fault == NULL)
        fault = threads_print(census);
    if (fault != NULL)
        return fault;
    pairs_print(census);
    reallocs_print(&census->reallocs);
    lifetimes_print(census);
    curve_print(census);
    puts("}");
    return NULL;
}

static int info_run(struct info *info)
{
    struct stat st;
    size_t bytes = TRACE_BLOCK_OPS * sizeof(struct trace_op);
    struct trace_op *ops = pages_map(bytes);
    const char *fault = ops != NULL && stat(info->path, &st) == 0 ? NULL : strerror(errno);
    if (fault == NULL) {
        info->file_bytes = (uint64_t)st.st_size;
        fault = census_take(info, ops);
    }
    if (fault == NULL)
        fault = info_print(info);
    if (fault != NULL)
        fprintf(stderr, "%s\n", fault);
    pages_unmap(ops, bytes);
    census_close(&info->census);
    return fault ? 2 : in_out_end();
}

int info_main(int argc, char **argv)
{
    static struct info info;
    char error[TRACE_ERROR_MAX];
    bool all_sizes = argc == 3 && strcmp(argv[1], "--all-sizes") == 0;
    if (argc != 2 + all_sizes) {
        fputs("usage: trace info [--all-sizes] FILE\n", stderr);
        return 2;
    }
    info = (struct info){.path = argv[argc - 1], .all_sizes = all_sizes};
    info.reader = trace_reader_open(info.path, error);
    if (info.reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = info_run(&info);
    trace_reader_close(info.reader);
    return status;
}
