/*
 * The allocator's own way into the kernel. The functions of libc may be another library's: one that
 * is preloaded stands before mmap, say, takes a lock in it and allocates under that lock, and so
 * meets itself if malloc calls mmap in turn. What malloc and free need of the system therefore
 * comes through here: no symbol to be replaced, no point at which a thread may be cancelled, errno
 * as it was.
 */
#ifndef ALLOCATOR_KERNEL_H
#define ALLOCATOR_KERNEL_H

#include "build.h"

#include <stdbool.h>
#include <sys/syscall.h>

/* Returns what the kernel returns: a negative errno on failure. */
#if defined(__x86_64__)

static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else

#include <errno.h>
#include <unistd.h>

/* On other machines through libc, where a preloaded library can come between. */
static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    int kept = errno;
    long result = syscall(number, a, b, c, d, e, f);
    if (result == -1)
        result = -errno;
    errno = kept;
    return result;
}

#endif

/* Whether a call failed, also one that returns an address: the last 4095 values are errors. */
static inline bool kernel_failed(long result)
{
    return (unsigned long)result > -4096UL;
}

#endif
