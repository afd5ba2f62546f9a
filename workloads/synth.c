/*
 * The options, and who is asked in which order: the trace or profile first, the output then.
 */
#include "synth.h"

#include "in_out.h"
#include "plural.h"
#include "synth_learn.h"
#include "synth_make.h"
#include "trace_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct synth {
    struct in_out paths;
    bool profile_only;
    bool ordered;             /* anything of this was asked for */
    struct synth_order order; /* 0: as the original */
};

static int synth_fail(const char *fault, int status)
{
    fprintf(stderr, "%s\n", fault);
    return status;
}

/* A count from least to most. */
static bool count_parse(const char *name, uint64_t least, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(optarg, &end, 10);
    if (optarg[0] >= '0' && optarg[0] <= '9' && *end == '\0' && errno == 0 && *value >= least &&
        *value <= most)
        return true;
    fprintf(stderr, "--%s %s: want a whole number from %" PRIu64 " to %" PRIu64 "\n", name, optarg,
            least, most);
    return false;
}

/* Arbitrary: a hundred years of recording. */
static const uint64_t ops_max = (uint64_t)1 << 40;

/* An in_out_take. */
static bool option_take(void *cookie, int option)
{
    struct synth *synth = cookie;
    struct synth_order *order = &synth->order;
    synth->ordered |= option != 'p';
    switch (option) {
    case 'n':
        return count_parse("ops", 1, ops_max, &order->ops);
    case 't':
        return count_parse("threads", 1, TRACE_THREADS_MAX, &order->threads);
    case 's':
        return count_parse("seed", 0, UINT64_MAX, &order->seed);
    default:
        synth->profile_only = true;
        return true;
    }
}

static bool profile_take(struct synth_profile *profile, const char *path,
                         char error[TRACE_ERROR_MAX])
{
    return synth_profile_is(path) ? synth_profile_read(profile, path, error)
                                  : synth_learn(profile, path, error);
}

/* The origin tells how to make the trace again from its profile, and nothing of where that is from.
 */
static void origin_write(struct trace_text *origin, const struct synth_order *order)
{
    char how[128];
    snprintf(how, sizeof how, "--ops %" PRIu64 " --threads %" PRIu64 " --seed %" PRIu64, order->ops,
             order->threads, order->seed);
    trace_text_add(origin, "source", "synthesised");
    trace_text_add(origin, "tool", "spanbench " SPANBENCH_VERSION);
    trace_text_add(origin, "synthesised", how);
}

/* Says where not every thread that was asked for makes calls. */
static void threads_tell(const struct synth *synth, const struct synth_order *order,
                         const struct synth_made *made)
{
    uint64_t asked = synth->order.threads;
    const char *out = strcmp(synth->paths.out, "-") == 0 ? "standard output" : synth->paths.out;
    if (asked < 2 || made->callers >= asked)
        return;
    if (made->threads < asked)
        fprintf(stderr, "%s: %s thread%s, not %s", out, grouped(made->threads).text,
                plural(made->threads), grouped(asked).text);
    else
        fprintf(stderr, "%s: calls on only %s of %s threads", out, grouped(made->callers).text,
                grouped(asked).text);
    fprintf(stderr, "; for more, raise --ops (%s)\n", grouped(order->ops).text);
}

static int trace_make(const struct synth *synth, const struct synth_profile *profile)
{
    static struct trace_text origin;
    struct synth_order order = synth->order;
    struct synth_made made;
    char error[TRACE_ERROR_MAX];
    order.ops = order.ops ? order.ops : synth_total(profile, SYNTH_OPS);
    order.threads = order.threads ? order.threads : synth_total(profile, SYNTH_THREADS);
    origin_write(&origin, &order);
    struct trace_writer *writer = trace_writer_open(synth->paths.out, origin.bytes, error);
    if (writer == NULL)
        return synth_fail(error, 2);
    if (!synth_make(profile, &order, writer, &made, error)) {
        int status = synth_fail(error[0] ? error : trace_writer_error(writer), 1);
        trace_writer_abandon(writer);
        return status;
    }
    if (!trace_writer_finish(writer, "", error))
        return synth_fail(error, 1);
    threads_tell(synth, &order, &made);
    return 0;
}

int synth_main(int argc, char **argv)
{
    static const struct option known[] = {{"ops", required_argument, NULL, 'n'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"profile-only", no_argument, NULL, 'p'},
                                          IN_OUT_OUTPUT,
                                          {0}};
    struct synth synth = {.order = {.seed = 1}};
    struct synth_profile profile = {0};
    char error[TRACE_ERROR_MAX];
    if (!in_out_parse(&synth.paths, argc, argv, known, option_take, &synth,
                      "synth FILE [--ops N] [--threads T] [--seed S] [--profile-only] -o OUT"))
        return 2;
    if (synth.profile_only && synth.ordered)
        return synth_fail("--profile-only takes no --ops, --threads or --seed", 2);
    int status;
    if (!profile_take(&profile, synth.paths.in, error))
        status = synth_fail(error, 2);
    else if (synth.profile_only)
        status = synth_profile_write(&profile, synth.paths.out, error) ? 0 : synth_fail(error, 2);
    else
        status = trace_make(&synth, &profile);
    synth_profile_close(&profile);
    return status;
}
