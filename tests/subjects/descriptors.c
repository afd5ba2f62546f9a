/*
 * A program that knows which descriptors it has, while one of its threads calls malloc all the
 * time: descriptors reuse|over|watch|wait|many|filter|priority|refused [forked].
 *
 *   reuse     closes 0 and opens a file: POSIX promises number 0
 *   over      puts its empty file on number 0, a while after it closed 0; the file stays empty
 *   watch     looks again and again which descriptors there are
 *   wait      waits for children of every kind; there is none
 *   many      has 100,000 descriptors (or as many as it may)
 *   filter    forbids itself everything that has to do with files, new threads and processes
 *   refused   forbids itself new threads and processes, as another user
 *   priority  a thread of real-time priority calls malloc in bursts, on the same processor
 *
 * With `forked` all of that is done by a child that may open no file before it has two threads.
 * Says on one line what it found, and exits 1 if that is not as it should be. `priority` exits 77
 * where it may not have its priority.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 800, MANY = 100 * 1000, PAIRS = 100 * 1000, BURSTS = 200, BURST_PAIRS = 5000 };

static volatile bool stop;
static volatile bool started;

static struct rlimit files_allowed;

static void limit_files(struct rlimit limit)
{
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void *churn(void *unused)
{
    while (!stop) {
        free(malloc(50));
        started = true;
    }
    return unused;
}

static void rest_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static int report(const char *what, long wrong)
{
    char line[100];
    int length = snprintf(line, sizeof line, "%s: %ld wrong\n", what, wrong);
    return write(STDOUT_FILENO, line, (size_t)length) == length && wrong == 0 ? 0 : 1;
}

static int reuse(void)
{
    long wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        close(0);
        rest_us(100);
        int fd = open("/dev/null", O_RDONLY);
        wrong += fd != 0;
        if (fd > STDERR_FILENO)
            close(fd);
    }
    return report("reuse", wrong);
}

static int over(void)
{
    struct stat status;
    long wrong = 0;
    int empty = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    for (int i = 0; i < ROUNDS; i++) {
        close(0);
        rest_us(100);
        wrong += dup2(empty, 0) != 0;
        rest_us(200);
        wrong += fcntl(0, F_GETFD) < 0;
    }
    wrong += fstat(empty, &status) != 0 || status.st_size != 0;
    return report("over", wrong);
}

/* Descriptors above `own`, which is that of the folder. */
static long further_descriptors(int own)
{
    char bytes[2048];
    long found = 0;
    lseek(own, 0, SEEK_SET);
    long count;
    while ((count = syscall(SYS_getdents64, own, bytes, sizeof bytes)) > 0)
        for (long at = 0; at < count; at += ((struct dirent64 *)(bytes + at))->d_reclen) {
            const char *name = ((struct dirent64 *)(bytes + at))->d_name;
            found += name[0] != '.' && atoi(name) > own;
        }
    return found;
}

static int own_folder;
static long inherited;

/* Before there is a second thread. */
static void watch_begin(void)
{
    own_folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    inherited = further_descriptors(own_folder);
}

static int watch(void)
{
    long wrong = 0;
    for (int i = 0; i < 5 * ROUNDS; i++)
        wrong += further_descriptors(own_folder) != inherited;
    return report("watch", wrong);
}

static int wait_for_any(void)
{
    long wrong = 0;
    for (int i = 0; i < 40 * ROUNDS; i++)
        wrong += waitpid(-1, NULL, __WALL | WNOHANG) != -1 || errno != ECHILD;
    return report("wait", wrong);
}

static int many(void)
{
    struct rlimit limit = {MANY + 100, MANY + 100};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    int last = STDERR_FILENO;
    while (last < MANY && dup(STDOUT_FILENO) > last)
        last++;
    for (int i = 0; i < PAIRS; i++)
        free(malloc(50));
    return report("many", last < 1000);
}

#define FORBID(name)                                                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static int filter(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        FORBID(openat),
        FORBID(openat2),
        FORBID(close),
        FORBID(pwrite64),
        FORBID(pwritev),
        FORBID(writev),
        FORBID(read),
        FORBID(fallocate),
        FORBID(truncate),
        FORBID(ftruncate),
        FORBID(fstat),
        FORBID(newfstatat),
        FORBID(readlinkat),
        FORBID(unlinkat),
        FORBID(fcntl),
        FORBID(dup),
        FORBID(prlimit64),
        FORBID(getrlimit),
        FORBID(mmap),
        FORBID(futex),
        FORBID(clone),
        FORBID(clone3),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof steps[0], steps};
    for (int i = 0; i < BURST_PAIRS; i++) /* by now the recorder has its file */
        free(malloc(50));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        return 77;
    for (int i = 0; i < 3 * PAIRS; i++)
        free(malloc(50));
    int status = report("filter", 0);
    syscall(SYS_exit_group, status); /* to join a thread takes a futex */
    return status;
}

static int refused(void)
{
    struct rlimit none = {0, 0};
    long wrong = setuid(65534) != 0 || setrlimit(RLIMIT_NPROC, &none) != 0;
    rest_us(100 * 1000); /* a helper that was begun before is over */
    limit_files(files_allowed);
    for (int i = 0; i < PAIRS; i++)
        free(malloc(50));
    return report("refused", wrong);
}

static void pin(void)
{
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* A thread that spins for one that it keeps from running goes on until the system stops it, for
   the rest of a second. */
static int priority(void)
{
    struct sched_param most = {.sched_priority = 10};
    double worst = 0;
    if (sched_setscheduler(0, SCHED_FIFO, &most) != 0)
        return 77;
    for (int i = 0; i < BURSTS; i++) {
        rest_us(700);
        double began = now_ms();
        for (int k = 0; k < BURST_PAIRS; k++)
            free(malloc(50));
        double took = now_ms() - began;
        worst = took > worst ? took : worst;
    }
    return report("priority", worst > 400);
}

static const struct {
    const char *name;
    int (*run)(void);
} modes[] = {
    {"reuse", reuse},     {"over", over}, {"watch", watch},   {"wait", wait_for_any},
    {"refused", refused}, {"many", many}, {"filter", filter}, {"priority", priority},
};

static void *run_mode(void *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i].name, name) == 0) {
            if (strcmp(name, "priority") == 0)
                pin();
            return (void *)(intptr_t)modes[i].run();
        }
    return (void *)2;
}

static int run_beside_churn(char *name)
{
    pthread_t other;
    if (strcmp(name, "priority") == 0)
        pin();
    pthread_create(&other, NULL, churn, NULL);
    if (strcmp(name, "refused") != 0)
        limit_files(files_allowed);
    while (!started)
        rest_us(100);
    int status = (int)(intptr_t)run_mode(name);
    stop = true;
    pthread_join(other, NULL);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    free(malloc(10));
    getrlimit(RLIMIT_NOFILE, &files_allowed);
    if (strcmp(argv[1], "watch") == 0)
        watch_begin();
    if (argc == 2)
        return run_beside_churn(argv[1]);
    limit_files((struct rlimit){0, files_allowed.rlim_max});
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(run_beside_churn(argv[1]));
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}
