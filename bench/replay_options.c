/*
 * Options are checked one by one, then together.
 */
#include "replay_options.h"

#include "driver.h"

#include <getopt.h>
#include <string.h>

enum {
    POINTS_DEFAULT = 1000,
    POINTS_MAX = 1000000,
    REPEATS_MAX = 1000,
    OPS_MAX = 1 << 30,
    PASSES = 7
};

/* Bytes, arbitrary: no machine has as many. */
static const uint64_t LIMIT_MAX = UINT64_C(1) << 50;

static const char *const pass_names[] = {"speed", "memory", "check", "latency",
                                         "worst", "calls",  "limit"};
static const char *const touch_names[] = {"none", "first", "page", "all", "recorded"};
static const char *const threads_names[] = {"serial", "original"};

static const char help[] =
    "usage: replay-ALLOCATOR [--pass speed|memory|latency|worst|calls|check|limit]\n"
    "                        [--touch none|first|page|all|recorded]\n"
    "                        [--threads serial|original] [--epoch OPS] [--curve FILE]\n"
    "                        [--points N] [--chunk OPS] [--repeats N] [--decay] [--seed N]\n"
    "                        [--limit BYTES --ledger FILE [--group FOLDER]]\n"
    "                        [--pauses none|recorded] [--model none|program]\n"
    "                        --allocator PATH TRACE\n"
    "Replays TRACE on the allocator that this program is linked with or that is preloaded,\n"
    "which must be the one in the object file PATH, and prints one JSON object.\n";

const char *replay_pass_name(enum replay_pass pass)
{
    return pass_names[pass];
}

const char *replay_touch_name(enum touch touch)
{
    return touch_names[touch];
}

const char *replay_threads_name(enum replay_threads threads)
{
    return threads_names[threads];
}

/* The index of `name` in names[n]; n if it is not there. */
static unsigned name_find(const char *const *names, unsigned n, const char *name)
{
    unsigned i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static int parse_threads(const char *text, struct replay_options *options)
{
    options->threads = name_find(threads_names, 2, text);
    return options->threads < 2
               ? EXIT_OK
               : driver_fail(EXIT_USAGE, "--threads %s: serial or original is needed", text);
}

/* The value `on`, or none. */
static int parse_switch(const char *name, const char *value, const char *on, bool *is_on)
{
    *is_on = strcmp(value, on) == 0;
    if (*is_on || strcmp(value, "none") == 0)
        return EXIT_OK;
    return driver_fail(EXIT_USAGE, "%s %s: none or %s is needed", name, value, on);
}

static int parse_option(int option, const char *value, struct replay_options *options)
{
    switch (option) {
    case 'p':
        options->pass = name_find(pass_names, PASSES, value);
        return options->pass <= PASS_LIMIT
                   ? EXIT_OK
                   : driver_fail(EXIT_USAGE, "--pass %s: no such pass", value);
    case 't':
        options->touch = name_find(touch_names, TOUCH_RECORDED + 1, value);
        return options->touch <= TOUCH_RECORDED
                   ? EXIT_OK
                   : driver_fail(EXIT_USAGE, "--touch %s: no such policy", value);
    case 'T':
        return parse_threads(value, options);
    case 'n':
        return driver_parse_count("--points", value, 1, POINTS_MAX, &options->points);
    case 'k':
        return driver_parse_count("--chunk", value, 1, OPS_MAX, &options->chunk_ops);
    case 'e':
        return driver_parse_count("--epoch", value, 1, OPS_MAX, &options->epoch_ops);
    case 'r':
        return driver_parse_count("--repeats", value, 1, REPEATS_MAX, &options->repeats);
    case 's':
        return driver_parse_count("--seed", value, 0, OPS_MAX, &options->seed);
    case 'P':
        return parse_switch("--pauses", value, "recorded", &options->pauses);
    case 'm':
        return parse_switch("--model", value, "program", &options->models_program);
    case 'l':
        return driver_parse_count("--limit", value, 1, LIMIT_MAX, &options->limit_bytes);
    case 'L':
        options->ledger = value;
        return EXIT_OK;
    case 'g':
        options->group = value;
        return EXIT_OK;
    case 'd':
        options->decay = true;
        return EXIT_OK;
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

static int limit_check(const struct replay_options *options)
{
    bool is_asked = options->limit_bytes > 0 || options->ledger != NULL || options->group != NULL;
    if (options->pass != PASS_LIMIT)
        return is_asked ? driver_fail(EXIT_USAGE, "--limit, --ledger and --group need --pass limit")
                        : EXIT_OK;
    if (options->limit_bytes == 0 || options->ledger == NULL)
        return driver_fail(EXIT_USAGE, "--pass limit needs --limit and --ledger");
    if (options->chunk_ops > 0)
        return driver_fail(EXIT_USAGE, "--chunk: a limit pass decodes all at once");
    return EXIT_OK;
}

static int options_check(const struct replay_options *options)
{
    if (options->allocator == NULL)
        return driver_fail(EXIT_USAGE, "--allocator PATH is needed; --help tells more");
    if (options->trace == NULL)
        return driver_fail(EXIT_USAGE, "one TRACE is needed; --help tells more");
    if (options->curve != NULL && options->pass != PASS_MEMORY && options->pass != PASS_LATENCY)
        return driver_fail(EXIT_USAGE, "--curve needs --pass memory or latency");
    if (options->decay && options->pass != PASS_MEMORY)
        return driver_fail(EXIT_USAGE, "--decay needs --pass memory");
    if (options->repeats > 1 && options->pass != PASS_SPEED)
        return driver_fail(EXIT_USAGE, "--repeats needs --pass speed");
    if (options->seed > 0 && options->pass != PASS_LATENCY)
        return driver_fail(EXIT_USAGE, "--seed needs --pass latency");
    if (options->epoch_ops > 0 && options->threads != THREADS_ORIGINAL)
        return driver_fail(EXIT_USAGE, "--epoch needs --threads original");
    if (options->models_program && options->pass != PASS_SPEED && options->pass != PASS_CALLS)
        return driver_fail(EXIT_USAGE, "--model program needs --pass speed or calls");
    if (options->models_program && options->touch != TOUCH_PAGE && options->touch != TOUCH_RECORDED)
        return driver_fail(EXIT_USAGE, "--model program needs --touch page or recorded");
    return limit_check(options);
}

int replay_options_parse(int argc, char **argv, struct replay_options *options)
{
    static const struct option names[] = {
        {"pass", required_argument, NULL, 'p'},
        {"touch", required_argument, NULL, 't'},
        {"threads", required_argument, NULL, 'T'},
        {"epoch", required_argument, NULL, 'e'},
        {"points", required_argument, NULL, 'n'},
        {"allocator", required_argument, NULL, 'a'},
        {"curve", required_argument, NULL, 'c'},
        {"chunk", required_argument, NULL, 'k'},
        {"repeats", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {"pauses", required_argument, NULL, 'P'},
        {"model", required_argument, NULL, 'm'},
        {"limit", required_argument, NULL, 'l'},
        {"ledger", required_argument, NULL, 'L'},
        {"group", required_argument, NULL, 'g'},
        {"decay", no_argument, NULL, 'd'},
        {"version", no_argument, NULL, 'V'},
        {"seed", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct replay_options){.touch = TOUCH_PAGE, .points = POINTS_DEFAULT, .repeats = 1};
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
