/*
 * Two ways to do the same work.
 */
#include "performer.h"

#include "driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Arbitrary: 128 MiB of steps at once, and 32 MiB where a trace is longer than that. */
enum { WHOLE_OPS_MAX = 16 << 20, CHUNK_OPS = 4 << 20 };

static int fail_errno(const struct performer *performer)
{
    return driver_fail(EXIT_FAILED, "%s: %s", performer->source.path, strerror(errno));
}

static int fail_source(const struct steps_fault *fault)
{
    return driver_fail(fault->unusable ? EXIT_USAGE : EXIT_FAILED, "%s", fault->error);
}

/* Room for the steps of one part in words, as long as no size is of the long kind. */
static size_t words_expected(const struct performer *performer)
{
    const struct trace_totals *totals = &performer->totals;
    if (performer->part_ops < performer->total)
        return performer->part_ops + TRACE_BLOCK_OPS + STEP_WORDS_MAX;
    return performer->total + totals->by_kind[TRACE_CALLOC] + totals->by_kind[TRACE_ALIGNED_ALLOC] +
           totals->by_kind[TRACE_MEMALIGN] + totals->by_kind[TRACE_POSIX_MEMALIGN] + STEP_WORDS_MAX;
}

static uint64_t part_ops(const struct performer *performer, const struct replay_options *options)
{
    if (options->chunk_ops != 0)
        return options->chunk_ops;
    if (options->pass == PASS_LIMIT)
        return UINT64_MAX; /* no decoding under the limit */
    return performer->total <= WHOLE_OPS_MAX ? UINT64_MAX : CHUNK_OPS;
}

int performer_decode_part(struct performer *performer)
{
    struct steps_fault fault;
    bool decoded;
    touched_clear(&performer->touched);
    if (performer->is_threaded) {
        streams_begin_part(&performer->streams);
        decoded =
            streams_read(&performer->streams, &performer->source, performer->part_ops, &fault);
    } else {
        steps_clear(&performer->steps);
        decoded =
            steps_source_read(&performer->source, &performer->steps, performer->part_ops, &fault);
    }
    if (!decoded)
        return fail_source(&fault);
    if (performer->is_threaded && !lanes_make_room(&performer->lanes))
        return fail_errno(performer);
    if (performer->lanes.checker != NULL &&
        !checker_make_room(&performer->checker, performer->lanes.slots_capacity))
        return fail_errno(performer);
    return EXIT_OK;
}

static bool arrays_open(struct performer *performer, const struct replay_options *options)
{
    bool opened = performer->is_threaded
                      ? streams_open(&performer->streams, &performer->totals, options->epoch_ops)
                      : steps_open(&performer->steps, words_expected(performer));
    performer->streams.finder.is_asked = options->pauses;
    performer->steps.finder.is_asked = options->pauses;
    performer->touched.is_asked = options->touch == TOUCH_RECORDED;
    performer->streams.touched = &performer->touched;
    performer->steps.touched = &performer->touched;
    return opened;
}

static bool pass_counts_live(enum replay_pass pass)
{
    return pass == PASS_MEMORY || pass == PASS_LIMIT;
}

static bool is_timed(enum replay_pass pass)
{
    return pass == PASS_LATENCY || pass == PASS_WORST || pass == PASS_CALLS;
}

/* What the calls of a timed pass are timed for. */
static enum latency_aim aim_of(enum replay_pass pass)
{
    if (pass == PASS_LATENCY)
        return LATENCY_OF_SAMPLE;
    return pass == PASS_WORST ? LATENCY_OF_WORST : LATENCY_OF_ALL;
}

/* What a pass does with each call besides making it. */
static bool watchers_open(struct performer *performer, const struct replay_options *options,
                          size_t slots)
{
    if (options->pass == PASS_CHECK)
        return checker_open(&performer->checker, slots);
    if (!is_timed(options->pass))
        return true;
    bool opened =
        latency_open(&performer->latency, options->touch, aim_of(options->pass), options->seed);
    performer->latency.touched = &performer->touched;
    return opened;
}

/* After the first part is decoded, when a short trace's reader has verified how many slots there
   are. */
static bool table_open(struct performer *performer, const struct replay_options *options)
{
    bool counts_live = pass_counts_live(options->pass);
    if (performer->is_threaded)
        return true;
    if (!replayer_open(&performer->replayer, performer->source.null_slot, options->touch,
                       counts_live))
        return false;
    if (options->pass == PASS_CHECK)
        performer->replayer.checker = &performer->checker;
    if (is_timed(options->pass))
        performer->replayer.latency = &performer->latency;
    performer->replayer.models_program = options->models_program;
    if (!watchers_open(performer, options, performer->replayer.slots))
        return false;
    latency_thread_begin(performer->replayer.latency, &performer->replayer.timed, STEPS_ANY_THREAD);
    return true;
}

static bool lanes_prepare(struct performer *performer, const struct replay_options *options)
{
    bool counts_live = pass_counts_live(options->pass);
    if (!lanes_open(&performer->lanes, &performer->streams, options->touch, counts_live))
        return false;
    if (options->pass == PASS_CHECK)
        performer->lanes.checker = &performer->checker;
    if (is_timed(options->pass))
        performer->lanes.latency = &performer->latency;
    performer->lanes.models_program = options->models_program;
    performer->lanes.touched = &performer->touched;
    return watchers_open(performer, options, 1);
}

int performer_open(struct performer *performer, const struct replay_options *options)
{
    struct steps_fault fault;
    if (!steps_source_open(&performer->source, options->trace, &fault))
        return fail_source(&fault);
    performer->totals = *trace_reader_totals(performer->source.reader);
    performer->knows_present = trace_reader_columns(performer->source.reader) & TRACE_PRESENT;
    performer->is_threaded = options->threads == THREADS_ORIGINAL;
    performer->total = steps_source_count(&performer->source);
    performer->part_ops = part_ops(performer, options);
    performer->may_fail = options->pass == PASS_LIMIT;
    if (!arrays_open(performer, options))
        return fail_errno(performer);
    if (performer->is_threaded && !lanes_prepare(performer, options))
        return fail_errno(performer);
    int status = performer_decode_part(performer);
    if (status == EXIT_OK && !table_open(performer, options))
        status = fail_errno(performer);
    if (status == EXIT_OK && performer->source.ended)
        steps_source_close(&performer->source);
    return status;
}

void performer_touch(struct performer *performer)
{
    if (performer->is_threaded)
        lanes_touch(&performer->lanes);
    else
        replayer_touch(&performer->replayer);
}

bool performer_has_all(const struct performer *performer)
{
    return performer->source.ended;
}

/* Says which operation failed: the step at `at`, which is that many steps behind the first of its
   thread, or of all. Where nothing was found by a check, its call returned NULL. */
static int fail_call(struct performer *performer, const uint64_t *at, uint32_t thread,
                     uint64_t index)
{
    performer->refusal = (struct refusal){at, thread, index};
    if (performer->may_fail)
        return EXIT_FAILED;
    const char *path = performer->source.path;
    struct step step = step_take(&at);
    char operand[32] = "";
    char who[32] = "";
    if (step_has_operand(step.kind))
        snprintf(operand, sizeof(operand), "%llu, ", (unsigned long long)step.operand);
    if (thread != STEPS_ANY_THREAD)
        snprintf(who, sizeof(who), " of thread %u", (unsigned)thread);
    const char *what =
        atomic_load(&performer->checker.has_fault) ? performer->checker.fault : "returned NULL";
    const char *link = atomic_load(&performer->checker.has_fault) ? ": " : " ";
    return driver_fail(EXIT_FAILED, "%s: operation %llu%s: %s(%s%llu)%s%s", path,
                       (unsigned long long)steps_find_op(path, thread, index).number, who,
                       trace_kind_name(step.kind), operand, (unsigned long long)step.size, link,
                       what);
}

uint64_t performer_refused_step(const struct performer *performer)
{
    const struct refusal *refusal = &performer->refusal;
    return steps_find_op(performer->source.path, refusal->thread, refusal->index).step;
}

static uint64_t steps_between(const uint64_t *at, const uint64_t *end)
{
    uint64_t n = 0;
    for (; at != end; n++)
        step_take(&at);
    return n;
}

/* Makes the pauses that come before the step with an index in this part, of which *made have been
   made; the steps up to the next one. */
static uint64_t make_pauses(struct performer *performer, uint64_t step, size_t *made)
{
    const struct steps *steps = &performer->steps;
    for (; *made < steps->pauses_count; ++*made) {
        const struct step_pause *pause = &steps->pauses[*made];
        if (pause->step > step)
            return pause->step - step;
        pause_make(&performer->paused, pause->ms);
    }
    return UINT64_MAX;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* In pieces between the watcher's calls and between pauses. */
static int run_serial(struct performer *performer, performer_watcher *watcher, void *data,
                      uint64_t next)
{
    const uint64_t *at = performer->steps.words;
    performer->replayer.touched = &performer->touched;
    const uint64_t *end = at + performer->steps.used;
    uint64_t count = performer->steps.count;
    size_t made = 0;
    for (uint64_t left = count; left > 0;) {
        uint64_t until = make_pauses(performer, count - left, &made);
        uint64_t n = least_of(least_of(until, next - performer->ops), left);
        const uint64_t *stop = n == left ? end : steps_skip(at, n);
        const uint64_t *reached = replayer_run(&performer->replayer, at, stop);
        if (reached != stop)
            return fail_call(performer, reached, STEPS_ANY_THREAD,
                             performer->ops + steps_between(at, reached));
        at = stop;
        left -= n;
        performer->ops += n;
        if (performer->ops == next)
            next = watcher(data, performer->ops);
    }
    make_pauses(performer, count, &made);
    if (performer->replayer.latency)
        latency_thread_end(&performer->latency, &performer->replayer.timed);
    return EXIT_OK;
}

/* The watcher of a threaded part, and when it is due. */
struct watch {
    struct performer *performer;
    performer_watcher *watcher;
    void *data;
    uint64_t next;
};

static void watch_epoch(void *data, uint64_t ops)
{
    struct watch *watch = data;
    if (ops < watch->next)
        return;
    watch->next = watch->watcher(watch->data, ops);
}

static int fail_lanes(struct performer *performer)
{
    const struct lanes_failure *failure = &performer->lanes.failure;
    if (failure->at == NULL)
        return driver_fail(EXIT_FAILED, "%s: a thread could not be made: %s",
                           performer->source.path, strerror(failure->error));
    return fail_call(performer, failure->at, failure->thread,
                     lanes_failure_index(&performer->lanes));
}

static int run_threaded(struct performer *performer, performer_watcher *watcher, void *data,
                        uint64_t next)
{
    struct watch watch = {performer, watcher, data, next};
    struct lanes *lanes = &performer->lanes;
    lanes->epoch_is_done = watcher ? watch_epoch : NULL;
    lanes->data = &watch;
    if (!lanes_run_part(lanes))
        return fail_lanes(performer);
    performer->ops = lanes->ops;
    return EXIT_OK;
}

int performer_run_part(struct performer *performer, performer_watcher *watcher, void *data,
                       uint64_t first)
{
    uint64_t next = watcher ? first : UINT64_MAX;
    performer->touched.words =
        performer->is_threaded ? performer->streams.words : performer->steps.words;
    return performer->is_threaded ? run_threaded(performer, watcher, data, next)
                                  : run_serial(performer, watcher, data, next);
}

static int drain_checked(struct performer *performer)
{
    struct slot *table =
        performer->is_threaded ? performer->lanes.table : performer->replayer.table;
    if (checker_drain(&performer->checker, table))
        return EXIT_OK;
    return driver_fail(EXIT_FAILED, "%s: after the last operation: %s", performer->source.path,
                       performer->checker.fault);
}

int performer_drain(struct performer *performer)
{
    if (performer->checker.block != NULL)
        return drain_checked(performer);
    if (performer->is_threaded)
        lanes_drain(&performer->lanes);
    else
        replayer_drain(&performer->replayer);
    return EXIT_OK;
}

const struct cost *performer_cost(const struct performer *performer)
{
    return performer->is_threaded ? &performer->lanes.cost : &performer->replayer.cost;
}

uint64_t performer_pauses(const struct performer *performer, uint64_t *paused_ns)
{
    bool is_threaded = performer->is_threaded;
    *paused_ns = is_threaded ? performer->lanes.paused_ns : performer->paused.cost.real_time_ns;
    return is_threaded ? performer->lanes.pauses : performer->paused.count;
}

int64_t performer_live(const struct performer *performer)
{
    return performer->is_threaded ? atomic_load(&performer->lanes.live)
                                  : (int64_t)performer->replayer.live;
}

int64_t performer_peak_live(const struct performer *performer)
{
    return performer->is_threaded ? atomic_load(&performer->lanes.peak_live)
                                  : (int64_t)performer->replayer.peak_live;
}
