/*
 * A library that stands before many functions of libc, as those that redirect a program's network,
 * files or clock do. In each of them it takes a lock that no thread may take twice, and calls
 * malloc while it holds it. A thread that would wait for itself ends the program with status 99
 * and the function's name. The clock is years ahead.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int owner; /* atomic; the thread that holds the lock */

static int own_id(void)
{
    long id;
#if defined(__x86_64__)
    __asm__ volatile("syscall" : "=a"(id) : "a"(SYS_gettid) : "rcx", "r11", "memory");
#else
    register long x8 __asm__("x8") = SYS_gettid;
    register long x0 __asm__("x0");
    __asm__ volatile("svc 0" : "=r"(x0) : "r"(x8) : "memory");
    id = x0;
#endif
    return (int)id;
}

typedef void *(*finder)(void *, const char *);

/* libc's dlsym, which this library stands before. */
static finder real_dlsym(void)
{
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"};
    void *found = NULL;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && found == NULL; i++)
        found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    return (finder)found;
}

static void say_and_end(const char *name)
{
    finder find = real_dlsym();
    ssize_t (*out)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))find(RTLD_NEXT, "write");
    if (out(STDERR_FILENO, name, strlen(name)) > 0)
        out(STDERR_FILENO, " waits for itself\n", 18);
    _exit(99);
}

static void enter(const char *name)
{
    int self = own_id();
    int none = 0;
    if (__atomic_load_n(&owner, __ATOMIC_ACQUIRE) == self)
        say_and_end(name);
    while (!__atomic_compare_exchange_n(&owner, &none, self, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
        none = 0;
    free(malloc(77));
}

static void leave(void)
{
    __atomic_store_n(&owner, 0, __ATOMIC_RELEASE);
}

/* The first calls of malloc in a process may come from here, too. */
__attribute__((constructor)) static void begin(void)
{
    enter("constructor");
    leave();
}

#define SHIM(type, name, parameters, ...)                                                          \
    EXPORT type name parameters;                                                                   \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        enter(#name);                                                                              \
        type(*real) parameters = (type(*) parameters)real_dlsym()(RTLD_NEXT, #name);               \
        type result = real(__VA_ARGS__);                                                           \
        leave();                                                                                   \
        return result;                                                                             \
    }

EXPORT void *dlsym(void *restrict handle, const char *restrict name)
{
    enter("dlsym");
    void *found = real_dlsym()(handle, name);
    leave();
    return found;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
    enter("clock_gettime");
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))real_dlsym()(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    now->tv_sec += 1000000000;
    leave();
    return status;
}

EXPORT long syscall(long number, ...)
{
    va_list list;
    long words[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    enter("syscall");
    long (*real)(long, ...) = (long (*)(long, ...))real_dlsym()(RTLD_NEXT, "syscall");
    long result = real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
    leave();
    return result;
}

EXPORT void *mremap(void *p, size_t old, size_t bytes, int flags, ...)
{
    enter("mremap");
    void *(*real)(void *, size_t, size_t, int, ...) =
        (void *(*)(void *, size_t, size_t, int, ...))real_dlsym()(RTLD_NEXT, "mremap");
    void *result = real(p, old, bytes, flags);
    leave();
    return result;
}

SHIM(int, open, (const char *path, int flags, ...), path, flags, 0600)
SHIM(int, openat, (int folder, const char *path, int flags, ...), folder, path, flags, 0600)
SHIM(int, close, (int fd), fd)
SHIM(ssize_t, read, (int fd, void *to, size_t bytes), fd, to, bytes)
SHIM(ssize_t, write, (int fd, const void *from, size_t bytes), fd, from, bytes)
SHIM(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), fd, parts, count,
     at)
SHIM(int, ftruncate, (int fd, off_t bytes), fd, bytes)
SHIM(int, fstat, (int fd, struct stat *status), fd, status)
SHIM(int, unlink, (const char *path), path)
SHIM(ssize_t, readlink, (const char *path, char *to, size_t bytes), path, to, bytes)
SHIM(void *, mmap, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset), at,
     bytes, protection, flags, fd, offset)
SHIM(int, munmap, (void *p, size_t bytes), p, bytes)
SHIM(int, madvise, (void *p, size_t bytes, int advice), p, bytes, advice)
SHIM(int, mprotect, (void *p, size_t bytes, int protection), p, bytes, protection)
SHIM(int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *kind), mutex,
     kind)
SHIM(int, pthread_mutex_lock, (pthread_mutex_t * mutex), mutex)
SHIM(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), mutex)
SHIM(pthread_t, pthread_self, (void), )
SHIM(void *, dlopen, (const char *path, int flags), path, flags)
SHIM(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old), how, set, old)
SHIM(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), how, set, old)
SHIM(int, sigfillset, (sigset_t * set), set)
SHIM(int, sched_yield, (void), )
SHIM(pid_t, getpid, (void), )
SHIM(pid_t, gettid, (void), )
SHIM(pid_t, getppid, (void), )
SHIM(int, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit), resource, limit)
SHIM(char *, getenv, (const char *name), name)
SHIM(char *, secure_getenv, (const char *name), name)
SHIM(int, uname, (struct utsname * system), system)
SHIM(long, sysconf, (int name), name)
SHIM(unsigned long, getauxval, (unsigned long name), name)
SHIM(const char *, gnu_get_libc_version, (void), )
SHIM(int, pthread_key_create, (pthread_key_t * key, void (*end)(void *)), key, end)
SHIM(int, pthread_setspecific, (pthread_key_t key, const void *value), key, value)
SHIM(void *, pthread_getspecific, (pthread_key_t key), key)
SHIM(int, __register_atfork, (void (*a)(void), void (*b)(void), void (*c)(void), void *object), a,
     b, c, object)
