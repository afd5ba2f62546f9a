/*
 * The compiler, see compile.h: merges the threads' streams by their stamps.
 *
 * A call stands at its record's stamp: a free before the real free, an allocation after the real
 * malloc. A realloc that moves a block gives up the old address at some time between its two
 * stamps and takes the new one by the later; it stands at the later stamp, unless another thread's
 * allocation got the old address in between: then it stands just before that. So no address is
 * live twice. That realloc is then always the next call of its thread, because the thread's
 * calls follow each other, so looking at the heads of all streams finds it.
 */
#include "compile.h"
#include "builder.h"
#include "callers.h"
#include "plural.h"
#include "raw_reader.h"
#include "trace_text.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MERGE_BUCKETS = 4096,  /* counts of addresses that are being given up; arbitrary */
    MERGE_DEPTH_MAX = 256, /* chain of reallocs, each taking the block before it; arbitrary */
    COMPILE_FAILED = 1,
    COMPILE_BAD_FILE = 2,
};

/* The next call of a stream. */
struct head {
    struct raw_call raw;
    bool added; /* went before its turn */
};

struct merge {
    struct raw_reader *reader;
    struct builder *builder;
    struct callers callers;
    struct head *heads;             /* by stream */
    size_t *heap;                   /* streams, the earliest head on top */
    size_t count;                   /* in the heap */
    uint64_t time_ns;               /* of the last call */
    bool damaged;                   /* a failure is the reader's, not the builder's */
    uint32_t moving[MERGE_BUCKETS]; /* heads that give up an address of this bucket */
};

static bool head_is_before(const struct merge *merge, size_t a, size_t b)
{
    uint64_t left = merge->heads[a].raw.stamp;
    uint64_t right = merge->heads[b].raw.stamp;
    return left != right ? left < right : a < b;
}

static void heap_swap(struct merge *merge, size_t i, size_t j)
{
    size_t stream = merge->heap[i];
    merge->heap[i] = merge->heap[j];
    merge->heap[j] = stream;
}

/* The entry at i may be later than those below. */
static void heap_sink(struct merge *merge, size_t i)
{
    for (;;) {
        size_t first = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < merge->count; child++)
            if (head_is_before(merge, merge->heap[child], merge->heap[first]))
                first = child;
        if (first == i)
            return;
        heap_swap(merge, i, first);
        i = first;
    }
}

static size_t bucket_of(uint64_t address)
{
    return (size_t)((address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 52) % MERGE_BUCKETS;
}

static bool call_moves(const struct call *call)
{
    return call->kind == TRACE_REALLOC && call->old != 0 && call->result != 0 &&
           call->result != call->old;
}

/* Whether the call makes an address live that was not. */
static bool call_makes(const struct call *call)
{
    return call->result != 0 && (call->kind != TRACE_REALLOC || call->result != call->old);
}

/* Loads the next call of a stream. */
static bool head_load(struct merge *merge, size_t stream, bool *more)
{
    struct head *head = &merge->heads[stream];
    head->added = false;
    if (!raw_reader_next(merge->reader, stream, &head->raw, more)) {
        merge->damaged = true;
        return false;
    }
    if (*more && call_moves(&head->raw.call))
        merge->moving[bucket_of(head->raw.call.old)]++;
    return true;
}

/* Goes on in the stream on top of the heap. */
static bool merge_advance(struct merge *merge)
{
    bool more;
    if (!head_load(merge, merge->heap[0], &more))
        return false;
    if (!more)
        merge->heap[0] = merge->heap[--merge->count];
    heap_sink(merge, 0);
    return true;
}

/* A realloc under way at `stamp` that gives up `address`. */
static struct head *merge_find_moving(struct merge *merge, uint64_t address, uint64_t stamp)
{
    if (merge->moving[bucket_of(address)] == 0)
        return NULL;
    for (size_t i = 0; i < merge->count; i++) {
        struct head *head = &merge->heads[merge->heap[i]];
        if (!head->added && head->raw.call.old == address && call_moves(&head->raw.call) &&
            head->raw.before < stamp)
            return head;
    }
    return NULL;
}

static bool merge_add(struct merge *merge, struct head *head, uint64_t stamp, int depth)
{
    struct call *call = &head->raw.call;
    head->added = true;
    if (call_moves(call))
        merge->moving[bucket_of(call->old)]--;
    struct head *other = NULL;
    if (call_makes(call) && depth < MERGE_DEPTH_MAX)
        other = merge_find_moving(merge, call->result, stamp);
    if (other != NULL && !merge_add(merge, other, stamp, depth + 1))
        return false;
    uint64_t time_ns = raw_reader_ns(merge->reader, stamp);
    if (time_ns > merge->time_ns)
        merge->time_ns = time_ns;
    call->time_ns = merge->time_ns;
    call->site = callers_site(&merge->callers, &head->raw);
    call->begin_ns = raw_reader_ns(merge->reader, head->raw.before);
    call->end_ns = raw_reader_ns(merge->reader, head->raw.stamp);
    return builder_add(merge->builder, call);
}

static bool merge_begin(struct merge *merge)
{
    bool more;
    for (size_t stream = 0; stream < raw_reader_streams(merge->reader); stream++) {
        if (!head_load(merge, stream, &more))
            return false;
        if (more)
            merge->heap[merge->count++] = stream;
    }
    for (size_t i = merge->count / 2; i-- > 0;)
        heap_sink(merge, i);
    return true;
}

static bool merge_run(struct merge *merge)
{
    if (!merge_begin(merge))
        return false;
    while (merge->count > 0) {
        struct head *head = &merge->heads[merge->heap[0]];
        if (!head->added && !merge_add(merge, head, head->raw.stamp, 0))
            return false;
        if (!merge_advance(merge))
            return false;
    }
    return true;
}

/* What the command line asks for, and the texts made of it. */
struct request {
    const char *raw;
    const char *output;
    bool json;
    bool strip; /* the origin does not say who recorded, nor what */
    char origin[TRACE_TEXT_MAX];
    size_t origin_bytes;
};

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the UTF-8 sequence at `at`, which ends with a NUL; 0 if it is none. */
static size_t utf8_bytes(const unsigned char *at)
{
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4 || !is_continuation(at[1]))
        return 0;
    if (at[0] < 0xe0)
        return 2;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    if (overlong || outside || !is_continuation(at[2]))
        return 0;
    if (at[0] < 0xf0)
        return 3;
    return is_continuation(at[3]) ? 4 : 0;
}

/* Makes valid UTF-8 without control characters (but for newlines) of any bytes. */
static void text_clean(char *text)
{
    unsigned char *at = (unsigned char *)text;
    while (*at != '\0') {
        size_t bytes = utf8_bytes(at);
        if (bytes == 0 || *at == 0x7f || (*at < ' ' && *at != '\n'))
            *at = '?';
        at += bytes > 0 ? bytes : 1;
    }
}

/* "key=value" with a key of [a-z_]. */
static bool line_is_valid(const char *line)
{
    size_t key = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    return key > 0 && line[key] == '=';
}

/* false: there is no room. */
static bool origin_add(struct request *request, const char *line)
{
    size_t bytes = strlen(line);
    if (request->origin_bytes + bytes + 2 > sizeof request->origin)
        return false;
    memcpy(request->origin + request->origin_bytes, line, bytes);
    request->origin_bytes += bytes;
    request->origin[request->origin_bytes++] = '\n';
    request->origin[request->origin_bytes] = '\0';
    return true;
}

/* The lines of the recorder that make sense; they always have room. */
static void origin_add_text(struct request *request, const char *text)
{
    char copy[RAW_TEXT_MAX];
    char *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    text_clean(copy);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (line_is_valid(line))
            origin_add(request, line);
}

/* What --origin gave goes after what the recorder knows. */
static bool origin_make(struct request *request, const struct raw_header *header)
{
    static char given[TRACE_TEXT_MAX];
    memcpy(given, request->origin, request->origin_bytes + 1);
    request->origin_bytes = 0;
    origin_add(request, "source=recorded");
    origin_add(request, "tool=spanbench " SPANBENCH_VERSION);
    origin_add_text(request, header->text);
    if (given[0] == '\0')
        return true;
    given[strlen(given) - 1] = '\0';
    return origin_add(request, given);
}

static const char *lost_why(const struct raw_header *header)
{
    if (header->lost_ops == 0)
        return "";
    if (header->lost_errno == RAW_LOST_BY_SIZE)
        return "--max-size";
    return header->lost_errno != 0 ? strerror((int)header->lost_errno) : "signal handlers";
}

static void losses_make(char *losses, size_t bytes, const struct merge *merge)
{
    const struct raw_header *header = raw_reader_header(merge->reader);
    int used = 0;
    losses[0] = '\0';
    if (header->lost_ops > 0)
        used = snprintf(losses, bytes, "lost_ops=%" PRIu64 "\nlost_why=%s\n", header->lost_ops,
                        lost_why(header));
    if (merge->callers.left_out > 0)
        snprintf(losses + used, bytes - (size_t)used, "lost_sites=%" PRIu64 "\n",
                 merge->callers.left_out);
}

static void print_counts(const struct request *request, const struct builder_counts *counts,
                         const struct raw_header *header)
{
    const struct {
        const char *key, *noun;
        uint64_t n;
    } told[] = {
        {"ops", "operation", counts->ops},
        {"threads", "thread", counts->threads},
        {"unknown_frees", "unknown free", counts->unknown_frees},
        {"unknown_reallocs", "unknown realloc", counts->unknown_reallocs},
        {"repaired_inversions", "repaired inversion", counts->repaired_inversions},
        {"lost_ops", "lost call", header->lost_ops},
    };
    const size_t n = sizeof told / sizeof *told;
    for (size_t i = 0; i < n && request->json; i++)
        printf("%s\"%s\": %" PRIu64, i ? ", " : "{", told[i].key, told[i].n);
    for (size_t i = 0; i < n && !request->json; i++)
        printf("%s%" PRIu64 " %s%s", i ? ", " : "", told[i].n, told[i].noun, plural(told[i].n));
    printf(request->json ? ", \"lost_why\": \"%s\"}\n" : " %s\n", lost_why(header));
}

static int report_error(const char *message, int status)
{
    fprintf(stderr, "%s\n", message);
    return status;
}

/* Ends the trace; one without any operation is not written. */
static int compile_finish(const struct request *request, struct merge *merge)
{
    char losses[256];
    char error[TRACE_ERROR_MAX];
    const struct raw_header *header = raw_reader_header(merge->reader);
    struct builder_counts counts = builder_counts(merge->builder);
    if (request->strip)
        sites_strip(&merge->callers.sites);
    losses_make(losses, sizeof losses, merge);
    if (counts.ops == 0)
        builder_abandon(merge->builder);
    else if (!builder_finish(merge->builder, losses, error))
        return report_error(error, COMPILE_FAILED);
    print_counts(request, &counts, header);
    return 0;
}

static int compile_merge(const struct request *request, struct merge *merge)
{
    if (merge_run(merge))
        return compile_finish(request, merge);
    int status = merge->damaged ? report_error(raw_reader_error(merge->reader), COMPILE_BAD_FILE)
                                : report_error(builder_error(merge->builder), COMPILE_FAILED);
    builder_abandon(merge->builder);
    return status;
}

static void origin_strip(struct request *request)
{
    static struct trace_text kept;
    kept.length = 0;
    trace_text_strip(&kept, request->origin);
    request->origin_bytes = kept.length;
    memcpy(request->origin, kept.bytes, kept.length);
    request->origin[kept.length] = '\0';
}

static int compile_open(struct request *request, struct raw_reader *reader)
{
    char error[TRACE_ERROR_MAX];
    if (!origin_make(request, raw_reader_header(reader)))
        return report_error("trace compile: --origin is too long", COMPILE_BAD_FILE);
    if (request->strip)
        origin_strip(request);
    static struct merge merge;
    size_t room = raw_reader_streams(reader) + 1;
    merge = (struct merge){.reader = reader};
    unsigned columns = TRACE_GAPS | (raw_reader_has_sites(reader) ? TRACE_SITES : 0u);
    merge.builder = builder_open(request->output, request->origin, columns, error);
    if (merge.builder == NULL)
        return report_error(error, COMPILE_BAD_FILE);
    builder_sites(merge.builder, &merge.callers.sites);
    merge.heads = calloc(room, sizeof *merge.heads);
    merge.heap = calloc(room, sizeof *merge.heap);
    int status;
    bool ready = callers_open(&merge.callers, reader);
    if (ready && merge.heads != NULL && merge.heap != NULL)
        status = compile_merge(request, &merge);
    else {
        builder_abandon(merge.builder);
        status = report_error("trace compile: out of memory", COMPILE_FAILED);
    }
    callers_close(&merge.callers);
    free(merge.heads);
    free(merge.heap);
    return status;
}

static int usage(void)
{
    fputs("usage: trace compile [--json] [--strip] [--origin KEY=VALUE]... RAW -o FILE\n", stderr);
    return COMPILE_BAD_FILE;
}

static bool request_take(struct request *request, int option)
{
    switch (option) {
    case 'o':
        request->output = optarg;
        return true;
    case 'j':
        request->json = true;
        return true;
    case 's':
        request->strip = true;
        return true;
    case 'O':
        text_clean(optarg);
        return line_is_valid(optarg) && strchr(optarg, '\n') == NULL && origin_add(request, optarg);
    default:
        return false;
    }
}

static bool request_parse(struct request *request, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"strip", no_argument, NULL, 's'},
        {"origin", required_argument, NULL, 'O'},
        {NULL, 0, NULL, 0},
    };
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1)
        if (!request_take(request, option))
            return false;
    if (request->output == NULL || optind + 1 != argc)
        return false;
    request->raw = argv[optind];
    return true;
}

int compile_main(int argc, char **argv)
{
    static struct request request;
    char error[TRACE_ERROR_MAX];
    if (!request_parse(&request, argc, argv))
        return usage();
    struct raw_reader *reader = raw_reader_open(request.raw, error);
    if (reader == NULL)
        return report_error(error, COMPILE_BAD_FILE);
    int status = compile_open(&request, reader);
    raw_reader_close(reader);
    return status;
}
