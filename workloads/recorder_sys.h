/*
 * The recorder's own way into the kernel. Whatever else is preloaded may replace the functions of
 * libc, and may wait, allocate or lie in them (a faked clock, a redirected open); inside somebody
 * else's malloc we can bear none of that. So nothing here goes through libc, errno stays as it is,
 * and no call is a point at which a thread may be cancelled.
 *
 * All functions return what the kernel returns: a negative errno on failure. All of them go
 * through sys_call, which is also where tests put another kernel beneath the recorder.
 */
#ifndef WORKLOADS_RECORDER_SYS_H
#define WORKLOADS_RECORDER_SYS_H

#if __SIZEOF_POINTER__ < 8
#error "the recorder needs a 64-bit system"
#endif

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

/* Any system call; those without a function of their own below are made by it, too. */
long sys_call(long number, long a, long b, long c, long d, long e, long f);

/* The last 4095 values are errors, also of calls that return addresses. */
static inline bool sys_is_error(long result)
{
    return (unsigned long)result > -4096UL;
}

/* Never follows a symbolic link, and no child that execs inherits the descriptor. */
static inline int sys_openat(int directory, const char *path, int flags, unsigned mode)
{
    flags |= O_CLOEXEC | O_NOFOLLOW;
    return (int)sys_call(SYS_openat, directory, (long)path, flags, mode, 0, 0);
}

static inline long sys_read(int fd, void *bytes, size_t count)
{
    return sys_call(SYS_read, fd, (long)bytes, (long)count, 0, 0, 0);
}

static inline long sys_write(int fd, const void *bytes, size_t count)
{
    return sys_call(SYS_write, fd, (long)bytes, (long)count, 0, 0, 0);
}

static inline int sys_close(int fd)
{
    return (int)sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int sys_ftruncate(int fd, uint64_t bytes)
{
    return (int)sys_call(SYS_ftruncate, fd, (long)bytes, 0, 0, 0, 0);
}

/* On 64-bit Linux libc's struct stat is the kernel's. */
static inline int sys_fstat(int fd, struct stat *status)
{
    return (int)sys_call(SYS_fstat, fd, (long)status, 0, 0, 0, 0);
}

static inline int sys_stat(const char *path, struct stat *status)
{
    return (int)sys_call(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, 0, 0, 0);
}

static inline int sys_unlink(const char *path)
{
    return (int)sys_call(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}

static inline long sys_readlink(const char *path, char *target, size_t bytes)
{
    return sys_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)target, (long)bytes, 0, 0);
}

/* Addresses; sys_is_error tells. */
static inline void *sys_mmap(size_t bytes, int protection, int flags, int fd, uint64_t offset)
{
    return (void *)sys_call(SYS_mmap, 0, (long)bytes, protection, flags, fd, (long)offset);
}

static inline void *sys_mremap(void *p, size_t old_bytes, size_t bytes, int flags)
{
    return (void *)sys_call(SYS_mremap, (long)p, (long)old_bytes, (long)bytes, flags, 0, 0);
}

static inline int sys_munmap(void *p, size_t bytes)
{
    return (int)sys_call(SYS_munmap, (long)p, (long)bytes, 0, 0, 0, 0);
}

static inline int sys_madvise(void *p, size_t bytes, int advice)
{
    return (int)sys_call(SYS_madvise, (long)p, (long)bytes, advice, 0, 0, 0);
}

static inline uint32_t sys_getpid(void)
{
    return (uint32_t)sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline uint32_t sys_getppid(void)
{
    return (uint32_t)sys_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
}

static inline uint32_t sys_gettid(void)
{
    return (uint32_t)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* The soft limit; RLIM_INFINITY where there is none or it cannot be told. */
static inline uint64_t sys_limit(int resource)
{
    struct rlimit limit;
    long failed = sys_call(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0);
    return failed ? RLIM_INFINITY : limit.rlim_cur;
}

/* Seconds and nanoseconds of the kernel's own clock. */
static inline struct timespec sys_clock(clockid_t clock)
{
    struct timespec now = {0};
    sys_call(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
    return now;
}

static inline int sys_uname(struct utsname *system)
{
    return (int)sys_call(SYS_uname, (long)system, 0, 0, 0, 0, 0);
}

/* As in <linux/futex.h>, which not every C library comes with. */
enum {
    SYS_FUTEX_WAIT = 0,
    SYS_FUTEX_LOCK_PI = 6 | 128, /* among the threads of one process */
    SYS_FUTEX_UNLOCK_PI = 7 | 128,
};

static inline long sys_futex(uint32_t *word, int operation, uint32_t value)
{
    return sys_call(SYS_futex, (long)word, operation, value, 0, 0, 0);
}

enum { SYS_SIGNALS_SET = 2 }; /* the kernel's SIG_SETMASK */

/* Blocks every signal that can be blocked, libc's own (cancelling, setuid) among them. Returns the
   set that was blocked before. */
static inline uint64_t sys_signals_block(void)
{
    uint64_t all = UINT64_MAX;
    uint64_t before = 0;
    sys_call(SYS_rt_sigprocmask, SYS_SIGNALS_SET, (long)&all, (long)&before, sizeof all, 0, 0);
    return before;
}

static inline void sys_signals_restore(uint64_t before)
{
    sys_call(SYS_rt_sigprocmask, SYS_SIGNALS_SET, (long)&before, 0, sizeof before, 0, 0);
}

#endif
