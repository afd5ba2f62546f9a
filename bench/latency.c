/*
 * Only the call is between the two readings: what is written to the block comes after, and the
 * count of page faults is taken outside.
 */
#include "latency.h"

#include "own_memory.h"
#include "steps.h"

#include "workloads/prng.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Mean distance of samples in calls. Arbitrary: tens of thousands of samples of a million calls,
   and what the clock costs is a fiftieth of a call on average. */
enum { SAMPLE_EVERY = 16 };
/* Longer than nearly all calls, and less than it takes to give a processor to somebody else and get
   it back, but for the shortest of the system's own tasks. */
static const double LONG_NS = 10000;

static const struct {
    const char *name;
    double share;
} percentiles[] = {
    {"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}, {"p9999_ns", 0.9999},
};

static const char *const size_names[LATENCY_SIZES] = {"64",    "256",   "1024",   "4096",
                                                      "16384", "65536", "262144", "more"};

bool latency_open(struct latency *latency, enum touch touch, enum latency_aim aim, uint64_t seed)
{
    *latency = (struct latency){.touch = touch, .aim = aim, .seed = seed};
    cycle_counter_calibrate(&latency->counter);
    latency->long_cycles = (uint64_t)(LONG_NS / latency->counter.ns);
    latency->by_kind = own_memory_map(LATENCY_KINDS * sizeof(struct histogram));
    latency->by_size = own_memory_map(LATENCY_SIZES * sizeof(struct histogram));
    return latency->by_kind != NULL && latency->by_size != NULL;
}

void latency_close(struct latency *latency)
{
    own_memory_unmap(latency->by_kind, LATENCY_KINDS * sizeof(struct histogram));
    own_memory_unmap(latency->by_size, LATENCY_SIZES * sizeof(struct histogram));
    *latency = (struct latency){0};
}

/* Each call of a thread is as likely to be timed as any other, the first ones too: the first sample
   is what is left of a distance that began before the thread. The lesser of the two numbers is
   distributed like that. Otherwise the first calls of short threads would stand for all. */
void latency_thread_begin(const struct latency *latency, struct latency_thread *part,
                          uint32_t thread)
{
    struct prng prng = prng_of_seed(latency ? latency->seed : 0, thread);
    uint64_t distance = prng_between(&prng, 1, 2 * SAMPLE_EVERY - 1);
    uint64_t other = prng_between(&prng, 1, 2 * SAMPLE_EVERY);
    *part = (struct latency_thread){.random = prng.state, .thread = thread};
    part->until_sample = (uint32_t)(distance < other ? distance : other);
}

static unsigned size_class(uint64_t size)
{
    unsigned class = 0;
    for (uint64_t most = 64; class < LATENCY_SIZES - 1 && size > most; most *= 4)
        class ++;
    return class;
}

/* The timed call of a step, and what came of it. */
struct timed {
    void *p;
    uint64_t cycles;
    uint64_t ended; /* reading of the counter */
};

/* A function a kind, so that nothing but the call is timed. */
static struct timed call_timed(const struct cycle_counter *counter, const struct step *step,
                               void *old, size_t bytes)
{
    uint64_t began, ended;
    void *p = NULL;
    switch (step->kind) {
    case TRACE_FREE:
        began = cycles_begin();
        free(old);
        ended = cycles_end();
        break;
    case TRACE_MALLOC:
        began = cycles_begin();
        p = malloc(bytes);
        ended = cycles_end();
        break;
    case TRACE_REALLOC:
        began = cycles_begin();
        p = realloc(old, bytes);
        ended = cycles_end();
        break;
    default:
        began = cycles_begin();
        p = step_make_rare(step->kind, step->size, step->operand);
        ended = cycles_end();
        break;
    }
    return (struct timed){p, cycle_counter_between(counter, began, ended), ended};
}

/* What the system counts of this thread. */
struct counted {
    uint64_t faults;
    uint64_t preemptions;
};

static struct counted count_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (struct counted){(uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt,
                            (uint64_t)usage.ru_nivcsw};
}

/* Puts a call among the worst, if it is one of them: those before it move to the front. */
static void worst_put(struct worst_call *worst, struct worst_call call)
{
    unsigned i = 0;
    if (call.cycles <= worst[0].cycles)
        return;
    for (; i + 1 < LATENCY_WORST && worst[i + 1].cycles < call.cycles; i++)
        worst[i] = worst[i + 1];
    worst[i] = call;
}

static void call_keep(struct latency *latency, struct latency_thread *part, const struct step *step,
                      struct worst_call call)
{
    if (latency->aim == LATENCY_OF_ALL) {
        part->cycles += call.cycles;
        return;
    }
    call.kind = (uint8_t)step->kind;
    call.index = part->steps;
    call.thread = part->thread;
    if (latency->aim == LATENCY_OF_WORST) {
        worst_put(part->worst, call);
        return;
    }
    histogram_add(&latency->by_kind[step->kind], call.cycles);
    histogram_add(&latency->by_size[size_class(call.size)], call.cycles);
}

/* What the step at `at` has made or resized from `had` bytes is written to. */
static void block_touch(const struct latency *latency, const uint64_t *at, const struct slot *slot,
                        size_t had)
{
    if (latency->touch == TOUCH_RECORDED)
        touched_write(latency->touched, at, slot, had);
    else
        touch_bytes(slot->p, had, slot->size, latency->touch);
}

static bool step_untimed(const struct latency *latency, struct slot *table, const uint64_t **at)
{
    int64_t change;
    if (latency->touch == TOUCH_RECORDED)
        return touched_call(latency->touched, table, at, &change);
    return step_call(table, at, latency->touch, &change);
}

/* Where all calls are summed up, the system is asked only after what took long, be it between two
   calls or a call: a process that loses its processor does not get it back at once. To ask about
   each call would take longer than most calls. */
static struct counted count_before(const struct latency *latency, struct latency_thread *part)
{
    if (latency->aim == LATENCY_OF_WORST)
        return count_now();
    if (latency->aim == LATENCY_OF_ALL && cycles_begin() - part->ended > latency->long_cycles)
        part->preemptions = count_now().preemptions;
    return (struct counted){0, part->preemptions};
}

static struct counted count_after(const struct latency *latency, struct latency_thread *part,
                                  const struct timed *timed)
{
    if (latency->aim == LATENCY_OF_WORST)
        return count_now();
    part->ended = timed->ended;
    if (latency->aim == LATENCY_OF_ALL && timed->cycles > latency->long_cycles)
        part->preemptions = count_now().preemptions;
    return (struct counted){0, part->preemptions};
}

static bool step_timed(struct latency *latency, struct latency_thread *part, struct slot *table,
                       const uint64_t **at)
{
    const uint64_t *next = *at;
    struct step step = step_take(&next);
    struct slot *slot = &table[step.slot];
    bool frees = step.kind == TRACE_FREE;
    size_t bytes = frees ? 0 : step_bytes(&step);
    struct counted before = count_before(latency, part);
    struct timed timed = call_timed(&latency->counter, &step, slot->p, bytes);
    struct counted after = count_after(latency, part, &timed);
    if (timed.p == NULL && bytes > 0)
        return false;
    if (after.preemptions == before.preemptions)
        call_keep(latency, part, &step,
                  (struct worst_call){.cycles = timed.cycles,
                                      .size = frees ? slot->size : bytes,
                                      .faults = after.faults - before.faults});
    else
        part->preempted++;
    size_t had = step.kind == TRACE_REALLOC ? slot->size : 0;
    *slot = (struct slot){timed.p, bytes};
    if (!frees)
        block_touch(latency, *at, slot, had);
    *at = next;
    return true;
}

bool latency_call(struct latency *latency, struct latency_thread *part, struct slot *table,
                  const uint64_t **at)
{
    if (latency->aim == LATENCY_OF_SAMPLE && --part->until_sample > 0)
        return step_untimed(latency, table, at);
    bool done = step_timed(latency, part, table, at);
    part->steps++;
    struct prng prng = {part->random};
    part->until_sample = (uint32_t)prng_between(&prng, 1, 2 * SAMPLE_EVERY - 1);
    part->random = prng.state;
    return done;
}

void latency_thread_end(struct latency *latency, struct latency_thread *part)
{
    while (atomic_exchange(&latency->lock, 1))
        sched_yield();
    for (unsigned i = 0; i < LATENCY_WORST; i++) {
        worst_put(latency->worst, part->worst[i]);
        part->worst[i] = (struct worst_call){0};
    }
    latency->preempted += part->preempted;
    latency->cycles += part->cycles;
    part->preempted = 0;
    part->cycles = 0;
    atomic_store(&latency->lock, 0);
}

double latency_to_ns(const struct latency *latency, uint64_t cycles)
{
    return (double)cycles * latency->counter.ns;
}

static void print_percentiles(const struct latency *latency, const struct histogram *histogram,
                              struct json_text *text)
{
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        uint64_t cycles = histogram_percentile(histogram, percentiles[i].share);
        json_text_add(text, ", \"%s\": %.1f", percentiles[i].name, latency_to_ns(latency, cycles));
    }
}

/* {"malloc": {"samples": n, ...}, ...} of those that were met. */
static void print_parts(const struct latency *latency, const struct histogram *parts, unsigned n,
                        const char *(*name_of)(unsigned), struct json_text *text)
{
    bool is_first = true;
    for (unsigned i = 0; i < n; i++) {
        uint64_t samples = histogram_total(&parts[i]);
        if (samples == 0)
            continue;
        json_text_add(text, "%s\"%s\": {\"samples\": %llu", is_first ? "" : ", ", name_of(i),
                      (unsigned long long)samples);
        print_percentiles(latency, &parts[i], text);
        json_text_add(text, "}");
        is_first = false;
    }
}

static const char *kind_name(unsigned kind)
{
    return trace_kind_name((enum trace_kind)kind);
}

static const char *size_name(unsigned class)
{
    return size_names[class];
}

void latency_print(const struct latency *latency, struct json_text *text)
{
    static struct histogram all;
    for (unsigned i = 0; i < LATENCY_KINDS; i++)
        histogram_merge(&all, &latency->by_kind[i]);
    json_text_number(text, "samples", (int64_t)histogram_total(&all));
    json_text_add(text, ", \"counter_step_ns\": %.2f",
                  latency_to_ns(latency, latency->counter.step));
    print_percentiles(latency, &all, text);
    json_text_add(text, ", \"by_kind\": {");
    print_parts(latency, latency->by_kind, LATENCY_KINDS, kind_name, text);
    json_text_add(text, "}, \"by_size\": {");
    print_parts(latency, latency->by_size, LATENCY_SIZES, size_name, text);
    json_text_add(text, "}");
}

void latency_print_worst(const struct latency *latency, const char *path, struct json_text *text)
{
    const struct worst_call *worst = latency->worst;
    json_text_number(text, "preempted", (int64_t)latency->preempted);
    json_text_add(text, ", \"max_ns\": %.1f, \"worst\": [",
                  latency_to_ns(latency, worst[LATENCY_WORST - 1].cycles));
    for (unsigned i = LATENCY_WORST; i-- > 0 && worst[i].cycles > 0;) {
        struct found_op found = steps_find_op(path, worst[i].thread, worst[i].index);
        json_text_add(text,
                      "%s{\"ns\": %.1f, \"op\": %llu, \"thread\": %u, \"kind\": \"%s\", "
                      "\"size\": %llu, \"faults\": %llu}",
                      i + 1 < LATENCY_WORST ? ", " : "", latency_to_ns(latency, worst[i].cycles),
                      (unsigned long long)found.number, (unsigned)found.thread,
                      kind_name(worst[i].kind), (unsigned long long)worst[i].size,
                      (unsigned long long)worst[i].faults);
    }
    json_text_add(text, "]");
}

bool latency_write(const struct latency *latency, int fd)
{
    if (dprintf(fd, "kind,bucket,ns,count\n") < 0)
        return false;
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
            uint32_t count = atomic_load(&latency->by_kind[kind].count[i]);
            if (count > 0 && dprintf(fd, "%s,%u,%.1f,%u\n", kind_name(kind), i,
                                     latency_to_ns(latency, histogram_most(i)), count) < 0)
                return false;
        }
    return true;
}
