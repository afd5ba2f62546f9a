/*
 * One line of JSON; which fields it has depends on the pass.
 */
#include "driver.h"
#include "replay_run.h"

#include <string.h>
#include <sys/prctl.h>

/* Of more threads than that, those with the fewest calls are summed up. Arbitrary: as many as
   people look at, in every entry of a result file. */
enum { THREADS_SHOWN = 32 };

/* The moment is told by the number of its operation in the trace, so that others find it. */
static void print_peak_waste(struct json_text *text, const struct run *run)
{
    struct memory_sample most = memory_curve_most_waste(&run->curve);
    struct found_op found = {0};
    if (most.op > 0)
        found = steps_find_op(run->options.trace, STEPS_ANY_THREAD, most.op - 1);
    json_text_add(text,
                  ", \"peak_waste\": {\"bytes\": %lld, \"op\": %llu, \"rss\": %lld, "
                  "\"live\": %lld}",
                  (long long)(most.rss - most.live), (unsigned long long)found.number,
                  (long long)most.rss, (long long)most.live);
}

static void print_memory(struct json_text *text, const struct run *run)
{
    footprint_print(&run->footprint, text);
    json_text_number(text, "peak_live", (int64_t)run->performer.totals.peak_live);
    if (run->options.pass != PASS_MEMORY)
        return;
    json_text_number(text, "peak_live_replayed", performer_peak_live(&run->performer));
    json_text_add(text, ", \"waste\": %.6f", memory_curve_waste(&run->curve));
    print_peak_waste(text, run);
    json_text_number(text, "huge_bytes", run->huge_bytes);
    holdings_print(&run->held, text);
    json_text_number(text, "rss_after_drain", run->rss_after_drain);
    if (run->options.decay)
        decay_print(&run->decay, text);
}

static void print_pauses(struct json_text *text, const struct run *run)
{
    uint64_t paused_ns;
    uint64_t pauses = performer_pauses(&run->performer, &paused_ns);
    json_text_number(text, "pauses", (int64_t)pauses);
    json_text_number(text, "paused_ns", (int64_t)paused_ns);
}

static void print_latency(struct json_text *text, const struct run *run)
{
    const struct latency *latency = &run->performer.latency;
    if (run->options.pass == PASS_LATENCY) {
        json_text_number(text, "sample_seed", (int64_t)run->options.seed);
        latency_print(latency, text);
    }
    if (run->options.pass == PASS_CALLS) {
        json_text_number(text, "in_calls_ns", (int64_t)latency_to_ns(latency, latency->cycles));
        json_text_number(text, "preempted", (int64_t)latency->preempted);
    }
    if (run->options.pass == PASS_WORST)
        latency_print_worst(latency, run->options.trace, text);
}

static void print_limit(struct json_text *text, const struct run *run)
{
    json_text_flag(text, "survived", run->survived);
    if (run->survived)
        return;
    json_text_number(text, "failed_at_op", (int64_t)run->failed_at_op);
    json_text_number(text, "failed_live", performer_live(&run->performer));
}

/* The numbers of the threads with the most calls, the first of them first; returns how many. */
static unsigned busiest_threads(const struct lanes *lanes, uint32_t busiest[THREADS_SHOWN])
{
    unsigned n = 0;
    for (uint32_t thread = 0; thread < lanes->streams->threads; thread++) {
        unsigned at = n;
        while (at > 0 && lanes->figures[busiest[at - 1]].ops < lanes->figures[thread].ops)
            at--;
        if (at == THREADS_SHOWN)
            continue;
        n += n < THREADS_SHOWN;
        memmove(&busiest[at + 1], &busiest[at], (n - 1 - at) * sizeof *busiest);
        busiest[at] = thread;
    }
    return n;
}

static void print_figures(struct json_text *text, const struct run *run,
                          const struct thread_figures *figures)
{
    json_text_add(text, "\"ops\": %llu, \"cpu_ns\": %llu, \"wait_ns\": %llu",
                  (unsigned long long)figures->ops, (unsigned long long)figures->cpu_ns,
                  (unsigned long long)figures->wait_ns);
    if (run->options.pass == PASS_CALLS)
        json_text_add(text, ", \"in_calls_ns\": %.0f",
                      latency_to_ns(&run->performer.latency, figures->call_cycles));
    json_text_add(text, "}");
}

static void figures_add(struct thread_figures *sum, const struct thread_figures *figures)
{
    sum->ops += figures->ops;
    sum->cpu_ns += figures->cpu_ns;
    sum->wait_ns += figures->wait_ns;
    sum->call_cycles += figures->call_cycles;
}

static bool is_among(const uint32_t *threads, unsigned n, uint32_t thread)
{
    for (unsigned i = 0; i < n; i++)
        if (threads[i] == thread)
            return true;
    return false;
}

static void print_threads(struct json_text *text, const struct run *run)
{
    const struct lanes *lanes = &run->performer.lanes;
    uint32_t busiest[THREADS_SHOWN];
    unsigned shown = busiest_threads(lanes, busiest);
    struct thread_figures others = {0};
    json_text_number(text, "wait_ns", (int64_t)lanes->wait_ns);
    if (run->options.repeats > 1)
        return; /* they were another process's */
    json_text_add(text, ", \"per_thread\": [");
    for (unsigned i = 0; i < shown; i++) {
        json_text_add(text, "%s{\"thread\": %u, ", i > 0 ? ", " : "", (unsigned)busiest[i]);
        print_figures(text, run, &lanes->figures[busiest[i]]);
    }
    json_text_add(text, "]");
    if (shown == lanes->streams->threads)
        return;
    for (uint32_t i = 0; i < lanes->streams->threads; i++)
        if (!is_among(busiest, shown, i))
            figures_add(&others, &lanes->figures[i]);
    json_text_add(text, ", \"other_threads\": {\"threads\": %u, ",
                  (unsigned)(lanes->streams->threads - shown));
    print_figures(text, run, &others);
}

int replay_print(const struct run *run)
{
    const struct performer *performer = &run->performer;
    char checksum[CHECKSUM_TEXT_BYTES];
    struct json_text text = driver_text_open();
    checksum_write(&performer->source.checksum, checksum);
    json_text_add(&text, "{\"pass\": \"%s\"", replay_pass_name(run->options.pass));
    json_text_pair(&text, "touch", replay_touch_name(run->options.touch));
    json_text_pair(&text, "model", run->options.models_program ? "program" : "none");
    json_text_pair(&text, "thread_order", replay_threads_name(run->options.threads));
    json_text_number(&text, "threads", (int64_t)performer->totals.threads);
    json_text_pair(&text, "trace", run->options.trace);
    json_text_number(&text, "ops", (int64_t)performer->ops);
    json_text_number(&text, "skipped_ops", (int64_t)performer->source.skipped_ops);
    json_text_pair(&text, "checksum", checksum);
    json_text_flag(&text, "thp_disabled", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
    json_text_number(&text, "repeats", (int64_t)run->options.repeats);
    cost_print(performer_cost(performer), &text);
    print_memory(&text, run);
    print_latency(&text, run);
    if (run->options.touch == TOUCH_RECORDED)
        json_text_flag(&text, "knows_present", performer->knows_present);
    if (run->options.pauses)
        print_pauses(&text, run);
    if (run->options.pass == PASS_LIMIT)
        print_limit(&text, run);
    if (performer->is_threaded)
        print_threads(&text, run);
    return driver_print_result(&text, &run->malloc);
}
