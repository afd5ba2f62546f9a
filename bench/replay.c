/*
 * replay-ALLOCATOR: replays one trace in one process and prints what it cost as one line of JSON.
 * It measures once, or a few times in copies of itself, of which the quickest counts; comparing and
 * judging is the front end's business. From the start of main to the end of the process nothing
 * here calls malloc, except for the trace.
 */
#include "driver.h"
#include "repeats.h"
#include "replay_run.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

/* Steps between two notes in the ledger of a limit pass, where threads allow it; a note takes as
   long as a hundred steps. */
enum { NOTED_OPS = 64 };
/* By how much the most live bytes may differ from the program's: a replay in which threads drifted
   further apart would be another program's. */
static const double peak_live_margin = 0.1;

static struct run this_run;

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
    const struct trace_totals *totals = &run->performer.totals;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (totals->by_kind[functions[i].kind] > 0 &&
            !identity_prove_function(&run->malloc, trace_kind_name(functions[i].kind),
                                     functions[i].address, error))
            return driver_fail(EXIT_FAILED, "%s", error);
    return EXIT_OK;
}

static int open_curve(struct run *run)
{
    struct replay_options *options = &run->options;
    uint64_t total = run->performer.total;
    bool is_sampled = options->pass == PASS_MEMORY && total > 0;
    options->points = options->points < total ? options->points : total;
    run->next_sample = is_sampled ? total / options->points : UINT64_MAX;
    run->curve_fd = -1;
    if (!memory_curve_open(&run->curve, options->points + 1))
        return driver_fail(EXIT_FAILED, "%s: %s", options->trace, strerror(errno));
    if (options->pass == PASS_LIMIT &&
        !limit_open(&run->limit, options->limit_bytes, options->group, options->ledger))
        return driver_fail(EXIT_USAGE, "%s: %s", options->ledger, strerror(errno));
    if (run->options.curve == NULL)
        return EXIT_OK;
    run->curve_fd = open(run->options.curve, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (run->curve_fd < 0)
        return driver_fail(EXIT_USAGE, "%s: %s", run->options.curve, strerror(errno));
    return EXIT_OK;
}

static int prepare(struct run *run)
{
    int status = driver_prove_allocator(run->options.allocator, &run->malloc);
    if (status == EXIT_OK)
        status = performer_open(&run->performer, &run->options);
    if (status == EXIT_OK)
        status = prove_rare_functions(run);
    run->tells_held = holdings_can(&run->malloc);
    return status == EXIT_OK ? open_curve(run) : status;
}

/* Huge pages are looked for where memory is highest: at the end of a trace most of it is gone. */
static void take_huge(struct run *run, int64_t rss)
{
    if (rss <= run->highest_rss)
        return;
    run->highest_rss = rss;
    run->huge_bytes = footprint_huge();
}

/* Samples are due after equal numbers of steps; one that comes late stands for those it missed. */
static uint64_t take_sample(void *data, uint64_t ops)
{
    struct run *run = data;
    uint64_t total = run->performer.total;
    uint64_t points = run->options.points;
    int64_t rss = footprint_net(&run->footprint);
    int64_t live = performer_live(&run->performer);
    memory_curve_add(&run->curve, (struct memory_sample){.op = ops, .rss = rss, .live = live});
    take_huge(run, rss);
    holdings_note(&run->held, run->tells_held, rss, live);
    if (ops >= total)
        return run->next_sample = UINT64_MAX;
    uint64_t nth = (uint64_t)((double)ops * (double)points / (double)total) + 1;
    do
        run->next_sample = (uint64_t)((double)total * (double)nth++ / (double)points);
    while (run->next_sample <= ops);
    return run->next_sample;
}

static int run_part(struct run *run, int64_t net)
{
    bool is_sampled = run->options.pass == PASS_MEMORY;
    if (!footprint_begin_part(&run->footprint, net))
        return driver_fail(EXIT_FAILED, "/proc/self: the peaks of memory: %s", strerror(errno));
    if (run->curve.count == 0)
        memory_curve_add(&run->curve, (struct memory_sample){.rss = net});
    int status =
        performer_run_part(&run->performer, is_sampled ? take_sample : NULL, run, run->next_sample);
    if (status == EXIT_OK)
        footprint_end_part(&run->footprint);
    return status;
}

static uint64_t note_progress(void *data, uint64_t ops)
{
    struct run *run = data;
    limit_note(&run->limit, ops, performer_live(&run->performer));
    return ops + NOTED_OPS;
}

static int run_limited(struct run *run)
{
    struct performer *performer = &run->performer;
    const char *what;
    footprint_load_text();
    if (!footprint_begin_part(&run->footprint, (int64_t)run->footprint.initial))
        return driver_fail(EXIT_FAILED, "/proc/self: the peaks of memory: %s", strerror(errno));
    if (!limit_enter(&run->limit, &run->footprint, &what))
        return driver_fail(EXIT_FAILED, "%s: %s", what, strerror(errno));
    int status = performer_run_part(performer, note_progress, run, NOTED_OPS);
    limit_leave(&run->limit);
    run->survived = status == EXIT_OK;
    if (status != EXIT_OK && performer->refusal.at != NULL) {
        run->failed_at_op = performer_refused_step(performer);
        status = EXIT_OK;
    }
    footprint_end_part(&run->footprint);
    return status;
}

static int run_trace(struct run *run)
{
    footprint_load_text();
    int64_t net = (int64_t)run->footprint.initial;
    for (;;) {
        int status = run_part(run, net);
        if (status != EXIT_OK || performer_has_all(&run->performer))
            return status;
        net = footprint_net_exact(&run->footprint);
        status = performer_decode_part(&run->performer);
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
    performer_touch(&run->performer);
    return run_trace(run);
}

/* Of threads, wall time is what counts: they wait for each other. */
static uint64_t run_time_ns(const struct run *run)
{
    const struct cost *cost = performer_cost(&run->performer);
    return run->performer.is_threaded ? cost->real_time_ns : cost->cpu_time_ns;
}

static bool is_quicker(const void *run, const void *other)
{
    return run_time_ns(run) < run_time_ns(other);
}

/* A trace too long to be decoded at once is replayed once: copies would have to decode it again. */
static int run_all(struct run *run)
{
    if (run->options.pass == PASS_LIMIT)
        return run_limited(run);
    if (!performer_has_all(&run->performer))
        run->options.repeats = 1;
    if (run->options.repeats == 1)
        return run_trace(run);
    return repeats_run(run->options.repeats, run_copy, run, sizeof(*run), is_quicker);
}

/* A replay whose live memory was another than the program's tells nothing about the program. */
static int check_peak_live(const struct run *run)
{
    double recorded = (double)run->performer.totals.peak_live;
    double replayed = (double)performer_peak_live(&run->performer);
    double off = replayed - recorded;
    if (off <= peak_live_margin * recorded && -off <= peak_live_margin * recorded)
        return EXIT_OK;
    return driver_fail(EXIT_FAILED,
                       "%s: the threads drifted apart: %.0f bytes lived at once, %.0f in the trace",
                       run->options.trace, replayed, recorded);
}

static int finish_memory_pass(struct run *run)
{
    int status = check_peak_live(run);
    if (status != EXIT_OK)
        return status;
    status = performer_drain(&run->performer);
    if (status != EXIT_OK)
        return status;
    run->rss_after_drain = footprint_net_exact(&run->footprint);
    if (run->options.decay)
        run->decay = decay_watch(&run->footprint, &run->malloc);
    return EXIT_OK;
}

static int write_curve(const struct run *run)
{
    if (run->curve_fd < 0)
        return EXIT_OK;
    bool written = run->options.pass == PASS_MEMORY
                       ? memory_curve_write(&run->curve, run->curve_fd)
                       : latency_write(&run->performer.latency, run->curve_fd);
    if (!written || close(run->curve_fd) != 0)
        return driver_fail(EXIT_FAILED, "%s: %s", run->options.curve, strerror(errno));
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    struct run *run = &this_run;
    const char *path;
    if (!footprint_open(&run->footprint, &path))
        return driver_fail(EXIT_FAILED, "%s: %s", path, footprint_reason());
    int status = replay_options_parse(argc, argv, &run->options);
    if (status == EXIT_OK)
        status = prepare(run);
    if (status == EXIT_OK)
        status = run_all(run);
    if (status == EXIT_OK && run->options.pass == PASS_MEMORY)
        status = finish_memory_pass(run);
    if (status == EXIT_OK)
        status = write_curve(run);
    if (status == EXIT_OK && run->options.pass == PASS_CHECK)
        status = performer_drain(&run->performer);
    if (status == EXIT_OK)
        status = replay_print(run);
    return status;
}
