/*
 * Goes to the background as daemons do: background MILLISECONDS. The parent leaves with status 7 at
 * once; the child, in a session of its own and without standard streams, allocates 1000 blocks each
 * 10 ms, so long. Its first call comes after its parent has gone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { STEP_MS = 10, BLOCKS = 1000 };

static void detach(void)
{
    setsid();
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        close(fd);
        open("/dev/null", O_RDWR);
    }
    while (getppid() != 1)
        usleep(1000);
}

int main(int argc, char **argv)
{
    int left_ms = argc > 1 ? atoi(argv[1]) : 0;
    free(malloc(10));
    if (fork() != 0)
        return 7;
    detach();
    for (; left_ms > 0; left_ms -= STEP_MS) {
        for (int i = 0; i < BLOCKS; i++)
            free(malloc(50));
        usleep(STEP_MS * 1000);
    }
    return 0;
}
