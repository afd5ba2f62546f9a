/*
 * launch: runs one command and reports what it used. It is small on purpose: the peak memory of a
 * child that the system reports is never less than that of the process that started it.
 */
#include "json_text.h"
#include "process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As those of timeout(1) and the shell. */
enum {
    EXIT_TIMED_OUT = 124,
    EXIT_USAGE = 125,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNALLED = 128
};

static const uint64_t second_ns = 1000000000;
/* What ends by itself so soon after the command was about to: a helper whose pipe has closed, the
   rest of a pipeline. Arbitrary. */
static const uint64_t grace_ns = second_ns / 5;

static const char help[] =
    "usage: launch [--timeout SECONDS] [--fixed-addresses] [--small-pages] [--tree] --report FILE\n"
    "              [--] CMD [ARG...]\n"
    "Runs CMD and writes what it used to FILE as one JSON object.\n"
    "--fixed-addresses: CMD's memory lies where it lay the last time; --small-pages: no page of\n"
    "it is huge. Where the system does not grant one of these, CMD runs all the same, and the\n"
    "report says false.\n"
    "--tree: where CMD makes further processes, their memory together is sampled.\n"
    "What CMD leaves running when it ends is ended, and its number reported.\n";

extern char **environ;

struct options {
    const char *report;
    uint64_t timeout_ns; /* 0: none */
    bool fixed_addresses;
    bool small_pages;
    bool tree;
    char **command;
};

/* The command while and after it runs. */
struct child {
    pid_t pid;
    bool fixed_addresses; /* asked for and granted */
    bool small_pages;     /* likewise */
    bool leads_group;     /* its process group is its own */
    bool timed_out;
    uint64_t start_ns;
    uint64_t wall_ns;
    int status; /* as from wait4 */
    struct rusage usage;
    struct process_tree tree;
    unsigned left_running;            /* processes that had to be ended after it ... */
    char left_name[PROCESS_NAME_MAX]; /* ... the first one's name */
};

__attribute__((format(printf, 2, 3))) static int fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vdprintf(STDERR_FILENO, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "\n");
    return status;
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * second_ns + (uint64_t)time.tv_nsec;
}

static bool parse_timeout(const char *text, uint64_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);
    /* A billion seconds, or NaN: nobody means that. */
    if (end == text || *end != '\0' || !(seconds > 0 && seconds <= 1e9))
        return false;
    *ns = (uint64_t)(seconds * 1e9) + 1;
    return true;
}

static int parse_option(int option, const char *value, struct options *options)
{
    switch (option) {
    case 'r':
        options->report = value;
        return 0;
    case 'a':
        options->fixed_addresses = true;
        return 0;
    case 's':
        options->small_pages = true;
        return 0;
    case 'm':
        options->tree = true;
        return 0;
    case 't':
        if (parse_timeout(value, &options->timeout_ns))
            return 0;
        return fail(EXIT_USAGE, "--timeout %s: a number of seconds is needed", value);
    default:
        return fail(EXIT_USAGE, "unknown option or missing value; --help tells more");
    }
}

static int options_parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"timeout", required_argument, NULL, 't'},
        {"report", required_argument, NULL, 'r'},
        {"fixed-addresses", no_argument, NULL, 'a'},
        {"small-pages", no_argument, NULL, 's'},
        {"tree", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){0};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "+h", names, NULL)) != -1;) {
        if (option == 'h')
            exit(dprintf(STDOUT_FILENO, "%s", help) < 0);
        if (parse_option(option, optarg, options) != 0)
            return EXIT_USAGE;
    }
    options->command = argv + optind;
    if (options->report == NULL || options->command[0] == NULL)
        return fail(EXIT_USAGE, "--report FILE and a command are needed; --help tells more");
    return 0;
}

/* A container's filter of system calls may forbid this. */
static bool addresses_fix(void)
{
    int now = personality(0xffffffff);
    return now != -1 && personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1;
}

static bool pages_keep_small(void)
{
    return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0;
}

/* What varies from run to run is set here for this process: the command inherits it. */
static void child_steady(struct child *child, const struct options *options)
{
    child->fixed_addresses = options->fixed_addresses && addresses_fix();
    child->small_pages = options->small_pages && pages_keep_small();
}

/* The signals that are waited for, and so blocked. */
static sigset_t signals_awaited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

/*
 * The command gets a process group of its own, so that a time-out ends all of it; but not where
 * standard input is a terminal: a group in the background is stopped when it reads from one.
 */
static int child_start(struct child *child, char **command, const sigset_t *mask)
{
    posix_spawnattr_t attributes;
    short flags = POSIX_SPAWN_SETSIGMASK;
    child->leads_group = !isatty(STDIN_FILENO);
    if (child->leads_group)
        flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, mask);
    posix_spawnattr_setflags(&attributes, flags);
    child->start_ns = now_ns();
    int error = posix_spawnp(&child->pid, command[0], NULL, &attributes, command, environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static void child_signal(const struct child *child, int number)
{
    kill(child->leads_group ? -child->pid : child->pid, number);
}

/* A signal from the terminal has gone to the command as well if that is in our group. */
static bool signal_needs_passing(const struct child *child, const siginfo_t *signal)
{
    return child->leads_group || signal->si_code != SI_KERNEL;
}

/* Waits for one of the awaited signals, until the deadline if there is one; 0 when that is over. */
static int signal_await(const sigset_t *set, uint64_t deadline_ns, siginfo_t *signal)
{
    uint64_t now = now_ns();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    struct timespec timeout = {(time_t)(left / second_ns), (long)(left % second_ns)};
    int number = sigtimedwait(set, signal, deadline_ns ? &timeout : NULL);
    if (number > 0)
        return number;
    return errno == EAGAIN ? 0 : SIGCHLD; /* EINTR: have a look whether the command has ended */
}

/* Takes what has ended; true if the command has. Orphans of its are ours to wait for. */
static bool child_reap(struct child *child)
{
    int status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        if (pid != child->pid)
            continue;
        child->status = status;
        child->usage = usage;
        return true;
    }
    return false;
}

/* The earlier one of two moments; 0 is never. */
static uint64_t sooner(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* What is due at this moment: a sample, or the end. */
static void child_attend(struct child *child, uint64_t *deadline_ns)
{
    uint64_t now = now_ns();
    if (child->tree.next_ns != 0 && now >= child->tree.next_ns)
        process_tree_sample(&child->tree, now);
    if (*deadline_ns != 0 && now >= *deadline_ns) {
        child->timed_out = true;
        *deadline_ns = 0;
        child_signal(child, SIGKILL);
    }
}

static void child_wait(struct child *child, const struct options *options, const sigset_t *set)
{
    uint64_t deadline_ns = options->timeout_ns ? child->start_ns + options->timeout_ns : 0;
    if (options->tree)
        child->tree.next_ns = child->start_ns + 1; /* at once */
    while (!child_reap(child)) {
        siginfo_t signal;
        int number = signal_await(set, sooner(deadline_ns, child->tree.next_ns), &signal);
        if (number == 0)
            child_attend(child, &deadline_ns);
        else if (number != SIGCHLD && signal_needs_passing(child, &signal))
            child_signal(child, number);
    }
    child->wall_ns = now_ns() - child->start_ns;
}

static long long timeval_ns(struct timeval time)
{
    return (long long)time.tv_sec * (long long)second_ns + time.tv_usec * 1000LL;
}

static void print_usage(struct json_text *text, const struct child *child)
{
    const struct rusage *usage = &child->usage;
    json_text_add(text, "{\"wall_ns\": %llu, \"user_ns\": %lld, \"sys_ns\": %lld",
                  (unsigned long long)child->wall_ns, timeval_ns(usage->ru_utime),
                  timeval_ns(usage->ru_stime));
    json_text_add(text, ", \"max_rss\": %lld, \"minor_faults\": %ld, \"major_faults\": %ld",
                  usage->ru_maxrss * 1024LL, usage->ru_minflt, usage->ru_majflt);
    json_text_add(text, ", \"voluntary_switches\": %ld, \"involuntary_switches\": %ld",
                  usage->ru_nvcsw, usage->ru_nivcsw);
}

static void print_steadiness(struct json_text *text, const struct child *child,
                             const struct options *options)
{
    if (options->fixed_addresses)
        json_text_flag(text, "fixed_addresses", child->fixed_addresses);
    if (options->small_pages)
        json_text_flag(text, "small_pages", child->small_pages);
}

/* What only commands of several processes have. */
static void print_tree(struct json_text *text, const struct child *child)
{
    if (child->tree.pss != 0) {
        json_text_number(text, "tree_pss", (int64_t)child->tree.pss);
        json_text_number(text, "processes", child->tree.processes);
    }
    if (child->left_running != 0) {
        json_text_number(text, "left_running", child->left_running);
        json_text_pair(text, "left_running_name", child->left_name);
    }
}

static void print_status(struct json_text *text, const struct child *child)
{
    if (WIFSIGNALED(child->status))
        json_text_add(text, ", \"exit_status\": null, \"signal\": %d", WTERMSIG(child->status));
    else
        json_text_add(text, ", \"exit_status\": %d, \"signal\": null", WEXITSTATUS(child->status));
    json_text_flag(text, "timed_out", child->timed_out);
    json_text_add(text, "}\n");
}

/* Writes over what is there: who wants to be sure of the place on the disk has taken it before. */
static bool report_write(int fd, const struct child *child, const struct options *options)
{
    char buffer[1024];
    struct json_text text = json_text_open(buffer, sizeof(buffer));
    print_usage(&text, child);
    print_steadiness(&text, child, options);
    print_tree(&text, child);
    print_status(&text, child);
    if (!json_text_write(&text, fd))
        return false;
    off_t end = lseek(fd, 0, SEEK_CUR);
    return end <= 0 || ftruncate(fd, end) == 0; /* a device has no end */
}

static int child_exit_status(const struct child *child)
{
    if (child->timed_out)
        return EXIT_TIMED_OUT;
    if (WIFSIGNALED(child->status))
        return EXIT_SIGNALLED + WTERMSIG(child->status);
    return WEXITSTATUS(child->status);
}

/* Starts the command and waits for it; the exit status of this program. */
static int child_run(struct child *child, const struct options *options)
{
    sigset_t set = signals_awaited();
    sigset_t before;
    signal(SIGCHLD, SIG_DFL); /* were it ignored, there would be nothing to wait for */
    sigprocmask(SIG_BLOCK, &set, &before);
    child_steady(child, options);
    process_tree_adopt();
    int error = child_start(child, options->command, &before);
    if (error != 0) {
        int status = error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
        child->status = status << 8; /* as wait4 reports an exit */
        return fail(status, "%s: %s", options->command[0], strerror(error));
    }
    child_wait(child, options, &set);
    child->left_running = process_tree_end(child->timed_out ? 0 : grace_ns, child->left_name);
    return child_exit_status(child);
}

int main(int argc, char **argv)
{
    struct options options;
    struct child child = {0};
    int status = options_parse(argc, argv, &options);
    if (status != 0)
        return status;
    int fd = open(options.report, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(EXIT_USAGE, "%s: %s", options.report, strerror(errno));
    status = child_run(&child, &options);
    if (!report_write(fd, &child, &options) || close(fd) != 0)
        return fail(EXIT_USAGE, "%s: %s", options.report, strerror(errno));
    return status;
}
