/*
 * Pages that a process has when it enters a cgroup stay charged to the one where it was before, in
 * both versions of cgroups: so what was decoded before counts nothing. Both versions have their
 * files in the same folder under other names; which of them there are tells the version.
 */
#include "limit.h"

#include "process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NUMBER_MAX = 32, LEAST_BYTES = 4096 /* of a limit; a cgroup knows nothing smaller */ };

static const char *const memory_files[] = {"memory.max", "memory.limit_in_bytes"};
/* Without these the system has no swap, or does not count it. */
static const char *const swap_files[] = {"memory.swap.max", "memory.memsw.limit_in_bytes"};
static const char *const unlimited[] = {"max", "-1"};

/* The file that could not be written. */
static char failed_path[PATH_MAX];

bool limit_open(struct limit *limit, uint64_t bytes, const char *group, const char *path)
{
    *limit = (struct limit){.bytes = bytes, .group = group};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    void *ledger = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct limit_ledger)) == 0)
        ledger = mmap(NULL, sizeof(struct limit_ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int error = errno;
    close(fd);
    errno = error;
    limit->ledger = ledger;
    if (ledger == MAP_FAILED)
        return false;
    limit_note(limit, 0, 0);
    return true;
}

static bool group_write(const struct limit *limit, const char *file, const char *text)
{
    if (snprintf(failed_path, sizeof(failed_path), "%s/%s", limit->group, file) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(failed_path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t written = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return written >= 0;
}

/* 0: version 2, 1: version 1; -1 and errno: it is no memory cgroup. */
static int group_version(const struct limit *limit)
{
    for (int version = 0; version < 2; version++) {
        snprintf(failed_path, sizeof(failed_path), "%s/%s", limit->group, memory_files[version]);
        if (access(failed_path, W_OK) == 0)
            return version;
    }
    return -1;
}

static bool group_enter(const struct limit *limit, uint64_t bytes)
{
    char text[NUMBER_MAX];
    int version = group_version(limit);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
    if (version < 0 || !group_write(limit, memory_files[version], text))
        return false;
    /* Swapped memory is memory. Version 1 limits the sum of both, version 2 each. */
    if (!group_write(limit, swap_files[version], version == 0 ? "0" : text) && errno != ENOENT)
        return false;
    return group_write(limit, "cgroup.procs", "0");
}

static bool space_limit(uint64_t bytes)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_AS, &now) != 0)
        return false;
    now.rlim_cur = bytes < now.rlim_max ? bytes : now.rlim_max;
    return setrlimit(RLIMIT_AS, &now) == 0;
}

/* Less what the allocator had before main, which is charged elsewhere. */
static uint64_t bytes_left(const struct limit *limit, uint64_t had)
{
    return limit->bytes > had + LEAST_BYTES ? limit->bytes - had : LEAST_BYTES;
}

bool limit_enter(struct limit *limit, const struct footprint *footprint, const char **what)
{
    bool entered;
    *what = limit->group ? failed_path : "RLIMIT_AS";
    if (limit->group)
        entered = group_enter(limit, bytes_left(limit, footprint->initial));
    else
        entered =
            space_limit(process_memory_mapped() + bytes_left(limit, footprint->initial_mapped));
    if (entered)
        atomic_store(&limit->ledger->has_begun, 1);
    return entered;
}

void limit_leave(const struct limit *limit)
{
    if (!limit->group) {
        space_limit(RLIM_INFINITY);
        return;
    }
    int version = group_version(limit);
    if (version >= 0) {
        group_write(limit, swap_files[version], unlimited[version]);
        group_write(limit, memory_files[version], unlimited[version]);
    }
}

void limit_note(struct limit *limit, uint64_t ops, int64_t live)
{
    atomic_store_explicit(&limit->ledger->ops, ops, memory_order_relaxed);
    atomic_store_explicit(&limit->ledger->live, live, memory_order_relaxed);
}
