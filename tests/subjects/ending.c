/*
 * Does COUNT times malloc(4321) and free, writes COUNT to standard output, and ends as told:
 * ending COUNT return|_exit|abort|kill|wait.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int end(const char *how)
{
    if (strcmp(how, "_exit") == 0)
        _exit(3);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(how, "wait") == 0)
        pause();
    return 4;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long count = atol(argv[1]);
    for (long i = 0; i < count; i++)
        free(malloc(4321));
    dprintf(STDOUT_FILENO, "%ld\n", count);
    return end(argv[2]);
}
