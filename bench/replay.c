/*
 * replay-ALLOCATOR: replays one trace in one process and prints what it cost as one line of JSON.
 * It measures once, or a few times in copies of itself, of which the quickest counts; comparing and
 * judging is the front end's business. From the start of main to the end of the process nothing
 * here calls malloc, except for the trace.
 */
#include "driver.h"
#include "footprint.h"
#include "memory_curve.h"
#include "repeats.h"
#include "replayer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For an XXH3 state that is not from malloc. */
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

/* Arbitrary: 128 MiB of steps at once, and 32 MiB where a trace is longer than that. */
enum { WHOLE_OPS_MAX = 16 << 20, CHUNK_OPS = 4 << 20, CHUNK_OPS_MAX = 1 << 30 };

enum { POINTS_DEFAULT = 1000, POINTS_MAX = 1000000, REPEATS_MAX = 1000 };

static const char *const pass_names[] = {"speed", "memory"};
enum pass { PASS_SPEED, PASS_MEMORY };
static const char *const touch_names[] = {"none", "first", "page", "all"};

static const char help[] =
    "usage: replay-ALLOCATOR [--pass speed|memory] [--touch none|first|page|all]\n"
    "                        [--threads serial|original] [--curve FILE] [--points N]\n"
    "                        [--chunk OPS] [--repeats N] --allocator PATH TRACE\n"
    "Replays TRACE on the allocator that this program is linked with or that is preloaded,\n"
    "which must be the one in the object file PATH, and prints one JSON object.\n";

struct options {
    enum pass pass;
    enum touch touch;
    const char *allocator;
    const char *curve;
    const char *trace;
    uint64_t points;
    uint64_t chunk_ops; /* operations decoded at once; 0: as many as is wise */
    uint64_t repeats;   /* how often the trace is replayed */
};

/* Everything about this one run. */
struct run {
    struct options options;
    struct identity malloc;
    struct footprint footprint;
    struct steps_source source;
    struct steps steps;
    struct replayer replayer;
    struct memory_curve curve;
    int curve_fd; /* -1: none */
    uint64_t threads;
    uint64_t peak_live;
    uint64_t total;       /* steps of the whole trace */
    uint64_t part_ops;    /* steps to decode at once, at least; UINT64_MAX: all */
    uint64_t ops;         /* steps executed */
    uint64_t next_sample; /* when `ops` is this, a sample is due; UINT64_MAX: never */
    int64_t rss_after_drain;
    XXH3_state_t checksum;
};

static struct run this_run;

/* The index of `name` in names[n]; n if it is not there. */
static unsigned name_find(const char *const *names, unsigned n, const char *name)
{
    unsigned i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static int parse_threads(const char *text)
{
    if (strcmp(text, "serial") == 0)
        return EXIT_OK;
    if (strcmp(text, "original") == 0)
        return driver_fail(EXIT_USAGE,
                           "--threads original: not available yet: only serial replay is");
    return driver_fail(EXIT_USAGE, "--threads %s: serial or original is needed", text);
}

static int parse_option(int option, const char *value, struct options *options)
{
    switch (option) {
    case 'p':
        options->pass = name_find(pass_names, 2, value);
        return options->pass < 2 ? EXIT_OK
                                 : driver_fail(EXIT_USAGE, "--pass %s: no such pass", value);
    case 't':
        options->touch = name_find(touch_names, 4, value);
        return options->touch < 4 ? EXIT_OK
                                  : driver_fail(EXIT_USAGE, "--touch %s: no such policy", value);
    case 'T':
        return parse_threads(value);
    case 'n':
        return driver_parse_count("--points", value, 1, POINTS_MAX, &options->points);
    case 'k':
        return driver_parse_count("--chunk", value, 1, CHUNK_OPS_MAX, &options->chunk_ops);
    case 'r':
        return driver_parse_count("--repeats", value, 1, REPEATS_MAX, &options->repeats);
    case 'a':
        options->allocator = value;
        return EXIT_OK;
    case 'c':
        options->curve = value;
        return EXIT_OK;
    default:
        return driver_fail(EXIT_USAGE, "unknown option or missing value; --help tells more");
    }
}

static int options_check(const struct options *options)
{
    if (options->allocator == NULL)
        return driver_fail(EXIT_USAGE, "--allocator PATH is needed; --help tells more");
    if (options->trace == NULL)
        return driver_fail(EXIT_USAGE, "one TRACE is needed; --help tells more");
    if (options->curve != NULL && options->pass != PASS_MEMORY)
        return driver_fail(EXIT_USAGE, "--curve needs --pass memory");
    if (options->repeats > 1 && options->pass != PASS_SPEED)
        return driver_fail(EXIT_USAGE, "--repeats needs --pass speed");
    return EXIT_OK;
}

static int options_parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"pass", required_argument, NULL, 'p'},
        {"touch", required_argument, NULL, 't'},
        {"threads", required_argument, NULL, 'T'},
        {"points", required_argument, NULL, 'n'},
        {"allocator", required_argument, NULL, 'a'},
        {"curve", required_argument, NULL, 'c'},
        {"chunk", required_argument, NULL, 'k'},
        {"repeats", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.touch = TOUCH_PAGE, .points = POINTS_DEFAULT, .repeats = 1};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (option == 'h')
            driver_print_and_exit(help);
        if (option == 'V')
            driver_print_and_exit("replay (spanbench) " SPANBENCH_VERSION "\n");
        if (parse_option(option, optarg, options) != EXIT_OK)
            return EXIT_USAGE;
    }
    options->trace = argc - optind == 1 ? argv[optind] : NULL;
    return options_check(options);
}

/* The functions that few programs use and some allocators lack: theirs must not be mixed with the
   C library's, but only a trace that calls them is affected. */
static int prove_rare_functions(struct run *run)
{
    static char error[IDENTITY_ERROR_MAX];
    const struct {
        enum trace_kind kind;
        const void *volatile address;
    } functions[] = {
        {TRACE_MEMALIGN, (const void *)memalign},
        {TRACE_VALLOC, (const void *)valloc},
        {TRACE_PVALLOC, (const void *)pvalloc},
    };
    const struct trace_totals *totals = trace_reader_totals(run->source.reader);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (totals->by_kind[functions[i].kind] > 0 &&
            !identity_prove_function(&run->malloc, trace_kind_name(functions[i].kind),
                                     functions[i].address, error))
            return driver_fail(EXIT_FAILED, "%s", error);
    return EXIT_OK;
}

static int open_curve_file(struct run *run)
{
    run->curve_fd = -1;
    if (run->options.curve == NULL)
        return EXIT_OK;
    run->curve_fd = open(run->options.curve, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (run->curve_fd < 0)
        return driver_fail(EXIT_USAGE, "%s: %s", run->options.curve, strerror(errno));
    return EXIT_OK;
}

/* Decodes the next part. */
static int decode_part(struct run *run)
{
    char error[TRACE_ERROR_MAX];
    bool unusable;
    if (!steps_source_read(&run->source, &run->steps, run->part_ops, &unusable, error))
        return driver_fail(unusable ? EXIT_USAGE : EXIT_FAILED, "%s", error);
    return EXIT_OK;
}

/* Room for the steps of one part in words, as long as no size is of the long kind. */
static size_t words_expected(const struct run *run)
{
    const struct trace_totals *totals = trace_reader_totals(run->source.reader);
    if (run->part_ops < run->total)
        return run->part_ops + TRACE_BLOCK_OPS + STEP_WORDS_MAX;
    return run->total + totals->by_kind[TRACE_CALLOC] + totals->by_kind[TRACE_ALIGNED_ALLOC] +
           totals->by_kind[TRACE_MEMALIGN] + totals->by_kind[TRACE_POSIX_MEMALIGN] + STEP_WORDS_MAX;
}

static uint64_t part_ops(const struct run *run)
{
    if (run->options.chunk_ops != 0)
        return run->options.chunk_ops;
    return run->total <= WHOLE_OPS_MAX ? UINT64_MAX : CHUNK_OPS;
}

static int open_trace(struct run *run)
{
    char error[TRACE_ERROR_MAX];
    bool unusable;
    if (!steps_source_open(&run->source, run->options.trace, &unusable, error))
        return driver_fail(unusable ? EXIT_USAGE : EXIT_FAILED, "%s", error);
    const struct trace_totals *totals = trace_reader_totals(run->source.reader);
    run->threads = totals->threads;
    run->peak_live = totals->peak_live;
    run->total = steps_source_count(&run->source);
    run->part_ops = part_ops(run);
    if (!steps_open(&run->steps, words_expected(run)))
        return driver_fail(EXIT_FAILED, "%s: %s", run->options.trace, strerror(errno));
    return prove_rare_functions(run);
}

/* The table and the samples; after the first part is decoded, when a short trace's reader has
   verified how many slots there are. */
static int open_tables(struct run *run)
{
    const struct options *options = &run->options;
    bool memory = options->pass == PASS_MEMORY;
    uint64_t points = options->points < run->total ? options->points : run->total;
    run->options.points = points;
    run->next_sample = memory && points > 0 ? run->total / points : UINT64_MAX;
    if (!replayer_open(&run->replayer, run->source.null_slot, options->touch, memory) ||
        !memory_curve_open(&run->curve, points + 1))
        return driver_fail(EXIT_FAILED, "%s: %s", options->trace, strerror(errno));
    return EXIT_OK;
}

static int prepare(struct run *run)
{
    int status = driver_prove_allocator(run->options.allocator, &run->malloc);
    if (status == EXIT_OK)
        status = open_trace(run);
    if (status == EXIT_OK)
        status = open_curve_file(run);
    if (status == EXIT_OK)
        status = decode_part(run);
    if (status == EXIT_OK)
        status = open_tables(run);
    if (status == EXIT_OK && run->source.ended)
        steps_source_close(&run->source);
    XXH3_64bits_reset(&run->checksum);
    return status;
}

static void take_sample(struct run *run)
{
    memory_curve_add(&run->curve, (struct memory_sample){.op = run->ops,
                                                         .rss = footprint_net(&run->footprint),
                                                         .live = (int64_t)run->replayer.live});
    uint64_t taken = run->curve.count;
    run->next_sample =
        taken <= run->options.points
            ? (uint64_t)((double)run->total * (double)taken / (double)run->options.points)
            : UINT64_MAX;
}

/* Says which operation failed: the step at `reached`, `passed` steps after the first of all. */
static int fail_at(const struct run *run, const uint64_t *reached, uint64_t passed)
{
    static const char *const names[] = {"malloc",         "free",          "realloc",
                                        "calloc",         "aligned_alloc", "memalign",
                                        "posix_memalign", "valloc",        "pvalloc"};
    struct step step = step_take(&reached);
    char operand[32] = "";
    if (step_has_operand(step.kind))
        snprintf(operand, sizeof(operand), "%llu, ", (unsigned long long)step.operand);
    return driver_fail(EXIT_FAILED, "%s: operation %llu: %s(%s%llu) returned NULL",
                       run->options.trace,
                       (unsigned long long)steps_find_op(run->options.trace, passed),
                       names[step.kind], operand, (unsigned long long)step.size);
}

static uint64_t steps_between(const uint64_t *at, const uint64_t *end)
{
    uint64_t n = 0;
    for (; at != end; n++)
        step_take(&at);
    return n;
}

/* Executes the steps that are decoded, in pieces between samples. */
static int run_steps(struct run *run)
{
    const uint64_t *at = run->steps.words;
    const uint64_t *end = at + run->steps.used;
    for (uint64_t left = run->steps.count; left > 0;) {
        uint64_t until_sample = run->next_sample - run->ops;
        uint64_t n = until_sample < left ? until_sample : left;
        const uint64_t *stop = n == left ? end : steps_skip(at, n);
        const uint64_t *reached = replayer_run(&run->replayer, at, stop);
        if (reached != stop)
            return fail_at(run, reached, run->ops + steps_between(at, reached));
        at = stop;
        left -= n;
        run->ops += n;
        if (run->ops == run->next_sample)
            take_sample(run);
    }
    return EXIT_OK;
}

static int run_part(struct run *run, int64_t net)
{
    if (!footprint_begin_part(&run->footprint, net))
        return driver_fail(EXIT_FAILED, "/proc/self: the peaks of memory: %s", strerror(errno));
    if (run->curve.count == 0)
        memory_curve_add(&run->curve, (struct memory_sample){.rss = net});
    if (run_steps(run) != EXIT_OK)
        return EXIT_FAILED;
    footprint_end_part(&run->footprint);
    XXH3_64bits_update(&run->checksum, run->steps.words, run->steps.used * sizeof(uint64_t));
    return EXIT_OK;
}

static int run_trace(struct run *run)
{
    footprint_load_text();
    int64_t net = (int64_t)run->footprint.initial;
    for (;;) {
        if (run_part(run, net) != EXIT_OK)
            return EXIT_FAILED;
        if (run->source.ended)
            return EXIT_OK;
        net = footprint_net_exact(&run->footprint);
        steps_clear(&run->steps);
        int status = decode_part(run);
        if (status != EXIT_OK)
            return status;
    }
}

/* In a copy of the process: what a copy finds missing or shared is put right before the clock
 * starts. */
static int run_copy(void *data)
{
    struct run *run = data;
    const char *path;
    if (!footprint_reopen(&path))
        return driver_fail(EXIT_FAILED, "%s: %s", path, footprint_reason());
    replayer_touch(&run->replayer);
    return run_trace(run);
}

static bool is_quicker(const void *run, const void *other)
{
    return ((const struct run *)run)->replayer.cost.cpu_time_ns <
           ((const struct run *)other)->replayer.cost.cpu_time_ns;
}

/* A trace too long to be decoded at once is replayed once: copies would have to decode it again. */
static int run_all(struct run *run)
{
    if (!run->source.ended)
        run->options.repeats = 1;
    if (run->options.repeats == 1)
        return run_trace(run);
    return repeats_run(run->options.repeats, run_copy, run, sizeof(*run), is_quicker);
}

static int finish_memory_pass(struct run *run)
{
    replayer_drain(&run->replayer);
    run->rss_after_drain = footprint_net_exact(&run->footprint);
    if (run->curve_fd < 0)
        return EXIT_OK;
    if (!memory_curve_write(&run->curve, run->curve_fd) || close(run->curve_fd) != 0)
        return driver_fail(EXIT_FAILED, "%s: %s", run->options.curve, strerror(errno));
    return EXIT_OK;
}

static void print_memory(struct json_text *text, const struct run *run)
{
    footprint_print(&run->footprint, text);
    json_text_number(text, "peak_live", (int64_t)run->peak_live);
    if (run->options.pass == PASS_MEMORY) {
        json_text_add(text, ", \"waste\": %.6f", memory_curve_waste(&run->curve));
        json_text_number(text, "rss_after_drain", run->rss_after_drain);
    }
}

static int print_result(struct run *run)
{
    char checksum[17];
    struct json_text text = driver_text_open();
    snprintf(checksum, sizeof(checksum), "%016llx",
             (unsigned long long)XXH3_64bits_digest(&run->checksum));
    json_text_add(&text, "{\"pass\": \"%s\"", pass_names[run->options.pass]);
    json_text_pair(&text, "touch", touch_names[run->options.touch]);
    json_text_number(&text, "threads", (int64_t)run->threads);
    json_text_pair(&text, "trace", run->options.trace);
    json_text_number(&text, "ops", (int64_t)run->ops);
    json_text_number(&text, "skipped_ops", (int64_t)run->steps.skipped_ops);
    json_text_pair(&text, "checksum", checksum);
    json_text_number(&text, "repeats", (int64_t)run->options.repeats);
    cost_print(&run->replayer.cost, &text);
    print_memory(&text, run);
    return driver_print_result(&text, &run->malloc);
}

int main(int argc, char **argv)
{
    struct run *run = &this_run;
    const char *path;
    if (!footprint_open(&run->footprint, &path))
        return driver_fail(EXIT_FAILED, "%s: %s", path, footprint_reason());
    int status = options_parse(argc, argv, &run->options);
    if (status == EXIT_OK)
        status = prepare(run);
    if (status == EXIT_OK)
        status = run_all(run);
    if (status == EXIT_OK && run->options.pass == PASS_MEMORY)
        status = finish_memory_pass(run);
    if (status == EXIT_OK)
        status = print_result(run);
    return status;
}
