/*
 * Counts over all operations of a trace, printed as one JSON object. The page for people is made
 * from it elsewhere.
 */
#include "info.h"

#include "pages.h"
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    BUCKETS = 65,          /* by number of bits: 0, 1, 2-3, 4-7, ... */
    EXACT_BYTES = 1 << 20, /* sizes below this are counted one by one */
    TOP_SIZES = 16,
    TOP_THREADS = 64,
};

/* A key and how often it came. */
struct count {
    uint64_t key;
    uint64_t count;
};

struct census {
    uint64_t serial;  /* allocations so far */
    uint64_t *births; /* by slot: the serial at which the block was made */
    size_t births_capacity;
    uint64_t *threads; /* operations by thread */
    size_t threads_capacity;
    uint64_t *exact; /* allocations by size, EXACT_BYTES of them */
    uint64_t sizes[BUCKETS];
    uint64_t lifetimes[BUCKETS];
    uint64_t blocks; /* of the file */
};

static unsigned bucket_of(uint64_t n)
{
    return n == 0 ? 0 : 64 - (unsigned)__builtin_clzll(n);
}

static bool array_reserve(uint64_t **array, size_t *capacity, size_t wanted)
{
    void *p = *array;
    if (!pages_reserve(&p, capacity, sizeof **array, wanted))
        return false;
    *array = p;
    return true;
}

static void census_add_size(struct census *census, uint64_t bytes)
{
    census->sizes[bucket_of(bytes)]++;
    if (bytes < EXACT_BYTES)
        census->exact[bytes]++;
}

/* A lifetime is counted in allocations made meanwhile; a realloc does not end it. */
static bool census_add(struct census *census, const struct trace_op *op)
{
    if (!array_reserve(&census->threads, &census->threads_capacity, (size_t)op->thread + 1))
        return false;
    census->threads[op->thread]++;
    if (op_takes_serial(op, op_shape(op)))
        census_add_size(census, trace_op_bytes(op));
    if (trace_op_frees(op))
        census->lifetimes[bucket_of(census->serial - census->births[op->slot])]++;
    if (!trace_op_makes(op))
        return true;
    if (!array_reserve(&census->births, &census->births_capacity, (size_t)op->slot + 1))
        return false;
    census->births[op->slot] = ++census->serial;
    return true;
}

/* NULL, or what went wrong. */
static const char *census_take(struct census *census, struct trace_reader *reader)
{
    struct trace_op *ops = pages_map(TRACE_BLOCK_OPS * sizeof *ops);
    census->exact = pages_map(EXACT_BYTES * sizeof *census->exact);
    if (ops == NULL || census->exact == NULL)
        return strerror(errno);
    for (;; census->blocks++) {
        size_t n;
        if (!trace_reader_next(reader, ops, &n))
            return trace_reader_error(reader);
        if (n == 0)
            break;
        for (size_t i = 0; i < n; i++) {
            if (!census_add(census, &ops[i]))
                return strerror(errno);
        }
    }
    pages_unmap(ops, TRACE_BLOCK_OPS * sizeof *ops);
    return NULL;
}

/* Keeps the `most` largest counts of top, largest first; equal ones in order of arrival. */
static size_t top_add(struct count *top, size_t used, size_t most, struct count count)
{
    size_t i = used < most ? used : most;
    for (; i > 0 && top[i - 1].count < count.count; i--) {
        if (i < most)
            top[i] = top[i - 1];
    }
    if (i < most)
        top[i] = count;
    return used < most ? used + 1 : most;
}

static size_t top_of(struct count *top, size_t most, const uint64_t *counts, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (counts[i] > 0)
            used = top_add(top, used, most, (struct count){i, counts[i]});
    }
    return used;
}

/* Length of the UTF-8 character at `text`, or 0 if there is none. */
static size_t utf8_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc0 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf8 ? 4
                                     : 0;
    if (length < 2)
        return length;
    uint32_t code = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

/* n bytes, which a zero byte follows somewhere, as a JSON string. What is no UTF-8 becomes U+FFFD.
 */
static void string_print(const char *bytes, size_t n)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + n;
    putchar('"');
    while (at < end) {
        size_t length = utf8_length(at);
        if (length == 0 || length > (size_t)(end - at)) {
            fputs("\\ufffd", stdout);
            length = 1;
        } else if (*at < ' ' || *at == '"' || *at == '\\' || *at == 127) {
            printf("\\u%04x", *at);
        } else {
            fwrite(at, 1, length, stdout);
        }
        at += length;
    }
    putchar('"');
}

/* Counts are printed as numbers, so that programs may add them. */
static bool value_is_number(const char *value, size_t n)
{
    return n > 0 && n < 19 && strspn(value, "0123456789") >= n && (value[0] != '0' || n == 1);
}

/* "key=value" lines as an object. */
static void text_print(const char *name, const char *text, bool numbers)
{
    const char *comma = "";
    printf("  \"%s\": {", name);
    while (*text) {
        size_t length = strcspn(text, "\n");
        size_t key = strcspn(text, "=\n");
        if (key < length) {
            const char *value = text + key + 1;
            size_t n = length - key - 1;
            printf("%s\n    ", comma);
            string_print(text, key);
            fputs(": ", stdout);
            if (numbers && value_is_number(value, n))
                printf("%.*s", (int)n, value);
            else
                string_print(value, n);
            comma = ",";
        }
        text += length + (text[length] == '\n');
    }
    puts("\n  },");
}

static void number_print(const char *name, uint64_t value)
{
    printf("  \"%s\": %" PRIu64 ",\n", name, value);
}

static void share_print(const char *name, uint64_t part, uint64_t whole)
{
    printf("  \"%s\": %.6g,\n", name, whole ? (double)part / (double)whole : 0);
}

static void kinds_print(const struct trace_totals *totals)
{
    printf("  \"by_kind\": {");
    for (int i = 0; i < TRACE_KINDS; i++)
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", trace_kind_name(i), totals->by_kind[i]);
    puts("},");
}

static void totals_print(const struct trace_totals *totals)
{
    number_print("ops", totals->ops);
    kinds_print(totals);
    number_print("failed", totals->failed);
    number_print("null_frees", totals->null_frees);
    number_print("handoffs", totals->handoffs);
    number_print("threads", totals->threads);
    number_print("slots", totals->slots);
    number_print("peak_live", totals->peak_live);
    number_print("final_live", totals->final_live);
    number_print("final_slots", totals->final_slots);
    number_print("duration_ns", totals->duration_ns);
    number_print("bytes_requested", totals->bytes_requested);
}

static void shares_print(const struct trace_totals *totals)
{
    const uint64_t *kinds = totals->by_kind;
    uint64_t calls = totals->ops - kinds[TRACE_THREAD_START] - kinds[TRACE_THREAD_END];
    uint64_t aligned = kinds[TRACE_ALIGNED_ALLOC] + kinds[TRACE_MEMALIGN] +
                       kinds[TRACE_POSIX_MEMALIGN] + kinds[TRACE_VALLOC] + kinds[TRACE_PVALLOC];
    share_print("realloc_share", kinds[TRACE_REALLOC], calls);
    share_print("aligned_share", aligned, calls);
}

/* Buckets that are not empty: from and to are included. */
static void buckets_print(const char *name, const uint64_t buckets[BUCKETS])
{
    const char *comma = "";
    printf("  \"%s\": [", name);
    for (unsigned i = 0; i < BUCKETS; i++) {
        uint64_t from = i == 0 ? 0 : UINT64_C(1) << (i - 1);
        uint64_t to = i == 0 ? 0 : from + (from - 1);
        if (buckets[i] == 0)
            continue;
        printf("%s\n    {\"from\": %" PRIu64 ", \"to\": %" PRIu64 ", \"count\": %" PRIu64 "}",
               comma, from, to, buckets[i]);
        comma = ",";
    }
    puts("\n  ],");
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

static void census_print(const struct census *census)
{
    struct count sizes[TOP_SIZES], threads[TOP_THREADS];
    buckets_print("sizes", census->sizes);
    size_t n = top_of(sizes, TOP_SIZES, census->exact, EXACT_BYTES);
    top_print("top_sizes", "size", sizes, n, ",");
    buckets_print("lifetimes", census->lifetimes);
    n = top_of(threads, TOP_THREADS, census->threads, census->threads_capacity);
    top_print("thread_ops", "thread", threads, n, "");
}

static void info_print(const struct trace_reader *reader, const struct census *census,
                       uint64_t file_bytes)
{
    const struct trace_totals *totals = trace_reader_totals(reader);
    puts("{");
    totals_print(totals);
    number_print("file_bytes", file_bytes);
    share_print("bytes_per_op", file_bytes, totals->ops);
    number_print("blocks", census->blocks);
    number_print("version", FORMAT_VERSION);
    shares_print(totals);
    text_print("origin", trace_reader_origin(reader), false);
    text_print("losses", trace_reader_losses(reader), true);
    census_print(census);
    puts("}");
}

static void census_close(struct census *census)
{
    pages_unmap(census->births, census->births_capacity * sizeof(uint64_t));
    pages_unmap(census->threads, census->threads_capacity * sizeof(uint64_t));
    pages_unmap(census->exact, EXACT_BYTES * sizeof(uint64_t));
}

static int stdout_end(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "standard output: %s\n", strerror(errno));
    return 1;
}

int info_main(int argc, char **argv)
{
    char error[TRACE_ERROR_MAX];
    struct census census = {0};
    struct stat st;
    if (argc != 2) {
        fputs("usage: trace info FILE\n", stderr);
        return 2;
    }
    struct trace_reader *reader = trace_reader_open(argv[1], error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    const char *fault = stat(argv[1], &st) == 0 ? census_take(&census, reader) : strerror(errno);
    if (fault == NULL)
        info_print(reader, &census, (uint64_t)st.st_size);
    else
        fprintf(stderr, "%s\n", fault);
    census_close(&census);
    trace_reader_close(reader);
    return fault ? 2 : stdout_end();
}
