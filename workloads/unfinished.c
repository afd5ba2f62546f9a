/*
 * A few paths that a signal handler reads. Who begins and ends them is one thread.
 */
#include "unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

enum { FILES_MAX = 4 }; /* one command writes one file; arbitrary beyond that */

static const char *_Atomic unfinished[FILES_MAX];

static void unfinished_begin(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (unfinished[i] == NULL) {
            unfinished[i] = path;
            return;
        }
    }
}

int unfinished_open(const char *path, int flags)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int fd = open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int error = errno;
    if (fd >= 0)
        unfinished_begin(path);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return fd;
}

void unfinished_end(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (unfinished[i] == path)
            unfinished[i] = NULL;
    }
}

/* The signal's own effect is the default again, and comes when the handler has returned. */
static void files_remove(int number)
{
    for (int i = 0; i < FILES_MAX; i++) {
        const char *path = unfinished[i];
        if (path != NULL)
            unlink(path);
    }
    raise(number);
}

void unfinished_watch(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction before, action = {.sa_handler = files_remove, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(ends[i], &action, NULL);
    }
    signal(SIGXFSZ, SIG_IGN);
}
