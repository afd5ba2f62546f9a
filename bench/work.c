/*
 * workload-ALLOCATOR: runs one synthetic workload in one process and prints what it cost as one
 * line of JSON. It measures once; repeating, comparing and judging is the front end's business.
 * From the start of main to the end of the process nothing here calls malloc, except for the
 * workload, and the C library when a thread is made.
 */
#include "crew.h"
#include "driver.h"
#include "footprint.h"
#include "process_memory.h"

#include "workloads/profile.h"
#include "workloads/worker.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

enum { SECONDS_MOST = 1000000 };

static const uint64_t number_most = (uint64_t)1 << 62;
static const uint64_t size_most = (uint64_t)1 << 31; /* some sizes are MiB */

static const char help[] =
    "usage: workload-ALLOCATOR [--threads N] [--ops N | --seconds S] [--size N] [--seed N]\n"
    "                          [--profile FILE] [--address-space MIB] --allocator PATH WORKLOAD\n"
    "       workload-ALLOCATOR --list\n"
    "       workload-ALLOCATOR --check-profile FILE\n"
    "Runs WORKLOAD on the allocator that this program is linked with or that is preloaded,\n"
    "which must be the one in the object file PATH, and prints one JSON object.\n"
    "--ops counts the calls of each thread, about; --list prints what there is, as JSON.\n";

struct options {
    struct workload_options workload; /* zero: not given */
    const char *allocator;
    const char *name;
    uint64_t seconds;           /* 0: a number of calls decides */
    uint64_t address_space_mib; /* 0: no limit */
};

/* Everything about this one run. */
struct run {
    struct options options;
    const struct workload *workload;
    struct workload_options choice; /* options.workload with the defaults */
    struct identity malloc;
    struct footprint footprint;
    struct worker *workers;
    struct crew crew;
    struct cost cost;
    int64_t rss_after_drain;
};

static struct run this_run;

static int parse_option(int option, const char *value, struct options *options)
{
    uint64_t threads;
    switch (option) {
    case 't':
        if (driver_parse_count("--threads", value, 1, CREW_MOST, &threads) != EXIT_OK)
            return EXIT_USAGE;
        options->workload.threads = (unsigned)threads;
        return EXIT_OK;
    case 'o':
        return driver_parse_count("--ops", value, 1, number_most, &options->workload.ops);
    case 's':
        return driver_parse_count("--size", value, 1, size_most, &options->workload.size);
    case 'r':
        return driver_parse_count("--seed", value, 0, number_most, &options->workload.seed);
    case 'd':
        return driver_parse_count("--seconds", value, 1, SECONDS_MOST, &options->seconds);
    case 'l':
        return driver_parse_count("--address-space", value, 1, number_most >> 20,
                                  &options->address_space_mib);
    case 'p':
        options->workload.profile = value;
        return EXIT_OK;
    case 'a':
        options->allocator = value;
        return EXIT_OK;
    default:
        return driver_fail(EXIT_USAGE, "unknown option or missing value; --help tells more");
    }
}

static void print_workload(struct json_text *text, const struct workload *workload)
{
    json_text_add(text, "{\"name\": \"%s\"", workload->name);
    json_text_pair(text, "summary", workload->summary);
    json_text_pair(text, "size_is", workload->size_is);
    json_text_number(text, "size", (int64_t)workload->size);
    json_text_number(text, "ops", (int64_t)workload->ops);
    json_text_number(text, "threads", workload->threads);
    json_text_number(text, "threads_least", workload->threads_least ? workload->threads_least : 1);
    json_text_number(text, "size_least", (int64_t)workload->size_least);
    json_text_flag(text, "has_bound", workload->bound != NULL);
    json_text_flag(text, "varies", workload->varies);
    json_text_flag(text, "needs_profile", workload->needs_profile);
    json_text_flag(text, "is_test", workload->is_test);
    json_text_add(text, "}");
}

static int print_list(void)
{
    struct json_text text = driver_text_open();
    for (size_t i = 0; workloads[i] != NULL; i++) {
        json_text_add(&text, i == 0 ? "[" : ",\n ");
        print_workload(&text, workloads[i]);
    }
    json_text_add(&text, "]\n");
    return driver_print(&text);
}

/* For who wants to know before anything is measured. */
static int check_profile(const char *path)
{
    static struct profile profile;
    char error[PROFILE_ERROR_MAX];
    return profile_read(&profile, path, error) ? EXIT_OK : driver_fail(EXIT_USAGE, "%s", error);
}

static int options_check(const struct options *options)
{
    if (options->allocator == NULL)
        return driver_fail(EXIT_USAGE, "--allocator PATH is needed; --help tells more");
    if (options->name == NULL)
        return driver_fail(EXIT_USAGE, "one WORKLOAD is needed; --list tells which there are");
    if (options->seconds > 0 && options->workload.ops > 0)
        return driver_fail(EXIT_USAGE, "--seconds and --ops: only one of them can be given");
    return EXIT_OK;
}

static int options_parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"threads", required_argument, NULL, 't'},
        {"ops", required_argument, NULL, 'o'},
        {"size", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 'd'},
        {"address-space", required_argument, NULL, 'l'},
        {"allocator", required_argument, NULL, 'a'},
        {"profile", required_argument, NULL, 'p'},
        {"list", no_argument, NULL, 'L'},
        {"check-profile", required_argument, NULL, 'C'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    options->workload.seed = 1;
    for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (option == 'h')
            driver_print_and_exit(help);
        if (option == 'V')
            driver_print_and_exit("workload (spanbench) " SPANBENCH_VERSION "\n");
        if (option == 'L')
            _exit(print_list());
        if (option == 'C')
            _exit(check_profile(optarg));
        if (parse_option(option, optarg, options) != EXIT_OK)
            return EXIT_USAGE;
    }
    options->name = argc - optind == 1 ? argv[optind] : NULL;
    return options_check(options);
}

/* What the user left open is as the workload has it. */
static void choose(struct run *run)
{
    const struct workload *workload = run->workload;
    struct workload_options *choice = &run->choice;
    *choice = run->options.workload;
    if (choice->threads == 0)
        choice->threads = workload->threads;
    if (choice->size == 0)
        choice->size = workload->size;
    if (choice->ops == 0)
        choice->ops = run->options.seconds > 0 ? UINT64_MAX : workload->ops;
}

static int choice_check(const struct run *run)
{
    const struct workload *workload = run->workload;
    const struct workload_options *choice = &run->choice;
    if (choice->threads < workload->threads_least)
        return driver_fail(EXIT_USAGE, "--threads %u: %s needs at least %u", choice->threads,
                           workload->name, workload->threads_least);
    if (choice->size < workload->size_least)
        return driver_fail(EXIT_USAGE, "--size %llu: %s needs at least %llu",
                           (unsigned long long)choice->size, workload->name,
                           (unsigned long long)workload->size_least);
    if (workload->size_is == NULL && run->options.workload.size != 0)
        return driver_fail(EXIT_USAGE, "--size: %s has none", workload->name);
    return EXIT_OK;
}

static int find_workload(struct run *run)
{
    run->workload = workload_find(run->options.name);
    if (run->workload == NULL)
        return driver_fail(EXIT_USAGE, "%s: no such workload; --list tells which there are",
                           run->options.name);
    choose(run);
    return choice_check(run);
}

static int prepare(struct run *run)
{
    const struct workload *workload = run->workload;
    int status = driver_prove_allocator(run->options.allocator, &run->malloc);
    if (status != EXIT_OK)
        return status;
    workers_name(workload->name);
    run->workers = workers_make(&run->choice);
    if (workload->prepare != NULL)
        workload->prepare(run->workers);
    if (!crew_open(&run->crew, workload, run->workers, run->choice.threads))
        return driver_fail(EXIT_FAILED, "%s: stacks: %s", workload->name, strerror(errno));
    return EXIT_OK;
}

static void stop(int number)
{
    (void)number;
    atomic_store(&workers_stopped, true);
}

/* Address space beyond what is mapped now, so that calls begin to fail in the middle. */
static int set_limits(const struct options *options)
{
    struct rlimit limit;
    limit.rlim_cur = process_memory_mapped() + ((rlim_t)options->address_space_mib << 20);
    limit.rlim_max = limit.rlim_cur;
    if (options->address_space_mib > 0 && setrlimit(RLIMIT_AS, &limit) != 0)
        return driver_fail(EXIT_FAILED, "--address-space: %s", strerror(errno));
    struct itimerval timer = {.it_value.tv_sec = (time_t)options->seconds};
    signal(SIGALRM, stop);
    if (setitimer(ITIMER_REAL, &timer, NULL) != 0)
        return driver_fail(EXIT_FAILED, "--seconds: %s", strerror(errno));
    return EXIT_OK;
}

static int measure(struct run *run)
{
    footprint_load_text();
    if (!footprint_begin_part(&run->footprint, (int64_t)run->footprint.initial))
        return driver_fail(EXIT_FAILED, "/proc/self: the peaks of memory: %s", strerror(errno));
    int error = crew_start(&run->crew);
    if (error != 0)
        return driver_fail(EXIT_FAILED, "%s: a thread: %s", run->workload->name, strerror(error));
    if (set_limits(&run->options) != EXIT_OK)
        return EXIT_FAILED;
    crew_work(&run->crew, &run->cost);
    footprint_end_part(&run->footprint);
    run->rss_after_drain = footprint_net_exact(&run->footprint);
    if (workers_live() != 0)
        return driver_fail(EXIT_FAILED, "%s: %lld bytes were not freed", run->workload->name,
                           (long long)workers_live());
    return EXIT_OK;
}

/* The sum of what the workers did, in the first of them. */
static const struct worker *workers_sum(struct run *run)
{
    struct worker *sum = &run->workers[0];
    for (unsigned i = 1; i < run->choice.threads; i++) {
        sum->ops += run->workers[i].ops;
        sum->checksum += run->workers[i].checksum;
        sum->refused += run->workers[i].refused;
    }
    return sum;
}

static void print_memory(struct json_text *text, const struct run *run)
{
    footprint_print(&run->footprint, text);
    json_text_number(text, "peak_live", workers_peak_live());
    json_text_number(text, "rss_after_drain", run->rss_after_drain);
    if (run->workload->bound != NULL)
        json_text_number(text, "bound", (int64_t)run->workload->bound(&run->choice));
}

static int print_result(struct run *run)
{
    const struct worker *sum = workers_sum(run);
    if (sum->ops == 0)
        return driver_fail(EXIT_FAILED, "%s: not one call succeeded", run->workload->name);
    struct json_text text = driver_text_open();
    json_text_add(&text, "{\"workload\": \"%s\"", run->workload->name);
    json_text_number(&text, "threads", run->choice.threads);
    json_text_number(&text, "size", (int64_t)run->choice.size);
    json_text_number(&text, "seed", (int64_t)run->choice.seed);
    json_text_number(&text, "ops", (int64_t)sum->ops);
    json_text_number(&text, "refused", (int64_t)sum->refused);
    json_text_add(&text, ", \"checksum\": \"%016llx\"", (unsigned long long)sum->checksum);
    cost_print(&run->cost, &text);
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
        status = find_workload(run);
    if (status == EXIT_OK)
        status = prepare(run);
    if (status == EXIT_OK)
        status = measure(run);
    if (status == EXIT_OK)
        status = print_result(run);
    return status;
}
