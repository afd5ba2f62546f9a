/*
 * Micro-benchmark of a process's very first call of malloc, which sets the allocator up. It takes a
 * fresh process, and in it a moment before the C++ library starts, which allocates: this program
 * runs itself, and the function in .preinit_array makes the call before any library's start code.
 */
#include "micro.h"
#include "micro_blocks.h"

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char self[] = "/proc/self/exe";
static char request[] = "--first-call";

static void answer_request(int argc, char **argv, char **environment)
{
    (void)environment;
    if (argc != 2 || strcmp(argv[1], request) != 0)
        return;
    uint64_t start = clock_ns();
    void *p = checked(malloc(64));
    uint64_t ns = clock_ns() - start;
    *(volatile char *)p = 1;
    _exit(write(STDOUT_FILENO, &ns, sizeof(ns)) == sizeof(ns) ? 0 : 1);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_all)(int, char **, char **) = answer_request;

static bool spawn_writing_to(int fd, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    char *argv[] = {self, request, NULL};
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    bool works = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO) == 0 &&
                 posix_spawn(child, self, &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return works;
}

/* Asks a new process for the time of its first call. */
static bool ask_process(int pipe_in, int pipe_out, uint64_t *ns)
{
    pid_t child;
    int status;
    if (!spawn_writing_to(pipe_in, &child) || waitpid(child, &status, 0) != child)
        return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
           read(pipe_out, ns, sizeof(*ns)) == sizeof(*ns);
}

/* With one reading of the clock in it, and the page faults of a new heap. */
MICRO(first_call_of_process, .clock = MICRO_MANUAL, .iterations = 30)
{
    int ends[2];
    if (pipe(ends) != 0)
        return micro_fail(micro, "pipe failed");
    while (micro_runs(micro, 1)) {
        uint64_t ns;
        if (!ask_process(ends[1], ends[0], &ns)) {
            micro_fail(micro, "a new process failed in its first call");
            break;
        }
        micro_add_ns(micro, ns);
    }
    close(ends[0]);
    close(ends[1]);
}
