/*
 * Frees and mallocs 50 times, puts an obstacle in the recorder's way, then does 100,000 pairs of
 * malloc(2000) and free: obstacles none|chroot DIR|setuid UID|fsize|nofile|closeall|space. Prints
 * the number of open descriptors, and that errno was kept; with `space`, whether 24 MiB could be
 * had as well.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAIRS = 100 * 1000 };

static void churn(int pairs, size_t size)
{
    for (int i = 0; i < pairs; i++)
        free(malloc(size));
}

static int limit(int resource, rlim_t most)
{
    struct rlimit limit = {most, most};
    return setrlimit(resource, &limit);
}

static int obstruct(const char *how, const char *what)
{
    if (strcmp(how, "chroot") == 0)
        return chroot(what) == 0 ? chdir("/") : -1;
    if (strcmp(how, "setuid") == 0)
        return setuid((uid_t)atoi(what));
    if (strcmp(how, "fsize") == 0)
        return limit(RLIMIT_FSIZE, 64 << 10);
    if (strcmp(how, "nofile") == 0)
        return limit(RLIMIT_NOFILE, 3);
    for (int fd = STDERR_FILENO + 1; strcmp(how, "closeall") == 0 && fd < 1024; fd++)
        close(fd);
    return 0;
}

static int descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += dup2(fd, fd) == fd;
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    churn(50, 1000);
    if (obstruct(argv[1], argc > 2 ? argv[2] : "") != 0) {
        perror(argv[1]);
        return 1;
    }
    errno = 4242;
    churn(PAIRS, 2000);
    int kept = errno == 4242;
    if (strcmp(argv[1], "space") == 0)
        puts(malloc(24 << 20) != NULL ? "24 MiB" : "too little");
    printf("%d descriptors, errno %s\n", descriptors(), kept ? "kept" : "lost");
    return 0;
}
