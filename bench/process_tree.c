/*
 * The descendants of this process, see process_tree.h. As a subreaper it becomes the parent of
 * every orphan among them, so that killing its children until there are none ends all of them:
 * those, too, that made a session of their own, and those that are forked meanwhile.
 */
#include "process_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PROCESSES_MAX = 4096, /* that are looked at; arbitrary */
    TEXT_MAX = 8192,      /* more than a rollup or a stat has, and the children of most threads */
    PATH_BYTES = 64,
    COST_SHARE = 50, /* a sample takes at most one part in so many of the time */
    KIB = 1024
};

static const uint64_t millisecond_ns = 1000000;
/* Samples are so far apart at least; those that find one process only, up to the second. */
static const uint64_t interval_least_ns = 10 * millisecond_ns;
static const uint64_t interval_alone_ns = 100 * millisecond_ns;
/* What does not die in this time (it may belong to another user, or wait for a disk) is let be. */
static const uint64_t end_most_ns = 2000 * millisecond_ns;

static uint64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 * millisecond_ns + (uint64_t)time.tv_nsec;
}

void process_tree_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* Reads a file of /proc as a string; "" on failure. */
static void text_read(const char *path, char text[TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, TEXT_MAX - 1) : 0;
    text[bytes > 0 ? bytes : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

struct processes {
    unsigned count;
    pid_t pids[PROCESSES_MAX];
};

/* Adds the children of one thread of a process: their numbers with spaces between. */
static void processes_add_children(struct processes *processes, pid_t pid, const char *thread)
{
    char path[2 * PATH_BYTES];
    char text[TEXT_MAX];
    char *at = text;
    snprintf(path, sizeof path, "/proc/%ld/task/%.20s/children", (long)pid, thread);
    text_read(path, text);
    for (char *end; processes->count < PROCESSES_MAX; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        processes->pids[processes->count++] = (pid_t)child;
    }
}

static void processes_add_of(struct processes *processes, pid_t pid)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return;
    for (struct dirent *thread; (thread = readdir(threads)) != NULL;)
        if (isdigit((unsigned char)thread->d_name[0]))
            processes_add_children(processes, pid, thread->d_name);
    closedir(threads);
}

/* All descendants, parents before their children. */
static void processes_find(struct processes *processes)
{
    processes->count = 0;
    processes_add_of(processes, getpid());
    for (unsigned i = 0; i < processes->count; i++)
        processes_add_of(processes, processes->pids[i]);
}

static uint64_t pss_of(pid_t pid)
{
    char path[PATH_BYTES];
    char text[TEXT_MAX];
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    text_read(path, text);
    const char *line = strstr(text, "\nPss:");
    return line != NULL ? strtoull(line + strlen("\nPss:"), NULL, 10) * KIB : 0;
}

/* One that has ended but is not waited for has no memory, and counts as none. */
static void tree_add(struct process_tree *tree, const struct processes *processes)
{
    uint64_t sum = 0;
    unsigned alive = 0;
    for (unsigned i = 0; i < processes->count; i++) {
        uint64_t pss = pss_of(processes->pids[i]);
        sum += pss;
        alive += pss > 0;
    }
    if (alive > tree->processes)
        tree->processes = alive;
    if (alive > 1 && sum > tree->pss)
        tree->pss = sum;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void process_tree_sample(struct process_tree *tree, uint64_t now_ns)
{
    static struct processes processes;
    processes_find(&processes);
    /* A command of one process is disturbed by nothing but the look for others. */
    if (processes.count > 1)
        tree_add(tree, &processes);
    uint64_t least = larger(interval_least_ns, COST_SHARE * (clock_ns() - now_ns));
    if (processes.count > 1)
        tree->interval_ns = least;
    else
        tree->interval_ns = larger(least, smaller(2 * tree->interval_ns, interval_alone_ns));
    tree->next_ns = now_ns + tree->interval_ns;
}

/* Waits for the children that have ended, counting them; false once there is none any more. */
static bool children_reap(unsigned *count)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        ++*count;
    return pid == 0;
}

/* The parent in a line of /proc/PID/stat; the name before it may hold anything. */
static pid_t stat_parent(const char *text)
{
    long parent = 0;
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL || sscanf(after_name, ") %*c %ld", &parent) != 1)
        return 0;
    return (pid_t)parent;
}

static void name_read(pid_t pid, char name[PROCESS_NAME_MAX])
{
    char path[PATH_BYTES];
    char text[TEXT_MAX];
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    text_read(path, text);
    text[strcspn(text, "\n")] = '\0';
    for (char *at = text; *at != '\0'; at++)
        if (!isprint((unsigned char)*at))
            *at = '?';
    snprintf(name, PROCESS_NAME_MAX, "%.15s", text);
}

static void child_kill(pid_t pid, char name[PROCESS_NAME_MAX])
{
    char path[PATH_BYTES];
    char text[TEXT_MAX];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    text_read(path, text);
    if (stat_parent(text) != getpid())
        return;
    if (name[0] == '\0')
        name_read(pid, name);
    kill(pid, SIGKILL);
}

/* Kills all our children; a number that is one stays so until it is waited for, which only we do.
 */
static void children_kill(char name[PROCESS_NAME_MAX])
{
    DIR *all = opendir("/proc");
    if (all == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]))
            child_kill((pid_t)strtol(entry->d_name, NULL, 10), name);
    closedir(all);
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)millisecond_ns}, NULL);
}

unsigned process_tree_end(uint64_t grace_ns, char name[PROCESS_NAME_MAX])
{
    unsigned of_themselves = 0;
    unsigned ended = 0;
    uint64_t start = clock_ns();
    name[0] = '\0';
    while (children_reap(&of_themselves)) {
        if (clock_ns() - start >= grace_ns)
            break;
        pause_briefly();
    }
    start = clock_ns();
    while (children_reap(&ended) && clock_ns() - start < end_most_ns) {
        children_kill(name);
        pause_briefly();
    }
    return ended;
}
