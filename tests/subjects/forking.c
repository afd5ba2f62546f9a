/*
 * Makes further processes and images: forking fork|raw|vfork|chain N|cleared. Each process marks
 * itself by a malloc: 1111 bytes before, 2222 in a child, 3333 in an image started by exec, 4444
 * in the first process afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *self;

static void mark(size_t size)
{
    free(malloc(size));
}

static void run_again(const char *mode, const char *count)
{
    execl(self, self, mode, count, (char *)NULL);
    _exit(9);
}

static int child(const char *mode, void *block)
{
    if (strcmp(mode, "vfork") == 0)
        run_again("image", "0");
    for (int i = 0; i < 5000; i++)
        mark(2222);
    free(block);
    exit(5);
}

static int spawn(const char *mode)
{
    void *block = malloc(1111);
    pid_t pid = strcmp(mode, "raw") == 0     ? (pid_t)syscall(SYS_fork)
                : strcmp(mode, "vfork") == 0 ? vfork()
                                             : fork();
    if (pid == 0)
        child(mode, block);
    int status = 0;
    for (int i = 0; i < 5000; i++)
        mark(4444);
    free(block);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}

static int chain(long left)
{
    char count[24];
    mark(3333);
    snprintf(count, sizeof count, "%ld", left - 1);
    if (left > 0)
        run_again("chain", count);
    return 6;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    self = argv[0];
    if (strcmp(argv[1], "image") == 0) {
        mark(3333);
        return 7;
    }
    if (strcmp(argv[1], "chain") == 0)
        return chain(atol(argv[2]));
    if (strcmp(argv[1], "cleared") == 0) {
        mark(1111);
        clearenv();
        run_again("image", "0");
    }
    return spawn(argv[1]);
}
