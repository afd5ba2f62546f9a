/*
 * The raw recording: what librecord.so writes while a program runs and what the compiler
 * (workloads/compile.h) reads afterwards. Private to these two; it never leaves the machine and
 * carries no version promise beyond the number below.
 *
 *   DIR/PID-N.raw    one file for each process image; N counts the images (execs) of a pid
 *
 *   unit 0   unit 1     unit 2
 *   +--------+----------+----------+-----
 *   | header | window   | (hole)   | ...      windows of different threads, in order of claiming
 *   +--------+----------+----------+-----
 *
 * A window is a unit of the file that one thread fills with records through a shared mapping. A
 * record is complete once its first word is not zero (that word is written last), so a file is
 * readable at any moment, whatever became of the process. What a thread leaves of its window when
 * it ends may be handed on to another thread, which begins with a THREAD_START record.
 *
 * The file is made as large as it will ever be when it is created, without blocks: its size says
 * nothing. A unit has blocks as far as its window's `bytes` go. One that was claimed but never
 * begun is a hole among others.
 */
#ifndef WORKLOADS_RAW_H
#define WORKLOADS_RAW_H

#include <stdint.h>
#include <time.h>

enum {
    RAW_VERSION = 2,
    /* A multiple of the page of every kernel (4, 16 or 64 KiB): whatever is mapped begins there. */
    RAW_UNIT = 64 << 10,
    RAW_STEP = 16 << 10,        /* blocks are given to a window in multiples of this many bytes */
    RAW_TEXT_MAX = 3072,        /* bytes of the header's text */
    RAW_MODULES_AT = 4096,      /* file offset of the modules, which end with the unit */
    RAW_ID_MAX = 64,            /* bytes of a build-id */
    RAW_PATH_MAX = 4096,        /* bytes of a path, its NUL included */
    RAW_DEPTH_MAX = 8,          /* frames of a call's site */
    RAW_LOST_BY_SIZE = 1 << 16, /* lost_errno where --max-size was reached; above any errno */
};

#define RAW_MAGIC        UINT64_C(0x31574152424e5053) /* "SPNBRAW1", little endian */
#define RAW_WINDOW_MAGIC UINT64_C(0x574f444e49574152) /* "RAWINDOW" */

/* The start of the file; stays mapped for the life of the image. */
struct raw_header {
    uint64_t magic; /* RAW_MAGIC, written last */
    uint32_t version;
    uint32_t pid;
    uint32_t image;       /* N of the file's name */
    uint32_t parent;      /* pid of the parent when the recording began; 0: the root process */
    uint64_t start_stamp; /* stamp counter when the recording began ... */
    uint64_t start_ns;    /* ... and CLOCK_MONOTONIC_RAW at the same moment */
    uint64_t last_stamp;  /* the same pair, renewed whenever a window is claimed and at exit: */
    uint64_t last_ns;     /* from both pairs follows the counter's frequency */
    uint64_t end;         /* atomic: no window goes beyond this file offset */
    uint64_t threads;     /* atomic: number of the next thread */
    uint64_t lost_ops;    /* atomic: calls that could not be recorded ... */
    uint32_t lost_errno;  /* ... and why (0: a signal handler came in the middle of a record) */
    uint32_t text_bytes;
    char text[RAW_TEXT_MAX]; /* "key=value" lines as in trace.h; no control characters in values,
                                but any other bytes */
    uint64_t pid_namespace;  /* with the pid, who the process is: struct recording_process */
    uint64_t start_ticks;
    uint64_t module_bytes; /* atomic; that modules take in the file, in whole or in part */
};

/*
 * A program or library that calls came from, noted when the first one did: struct raw_module, one
 * behind the other from RAW_MODULES_AT on, up to the first one without a stamp. Another module may
 * be at the same place later: an address belongs to the last one with a stamp before the call's.
 */
struct raw_module {
    uint64_t stamp; /* written last; 0: none */
    uint64_t start; /* where it is mapped */
    uint64_t bytes;
    uint64_t address; /* load address: what was added to the file's own addresses */
    uint32_t id_bytes;
    uint32_t path_bytes; /* the build-id and the path follow; then it goes on at a multiple of 8 */
};

/* At the start of each window. Records follow at once. */
struct raw_window {
    uint64_t magic;     /* RAW_WINDOW_MAGIC, written last */
    uint64_t bytes;     /* that have blocks, this header included; grows up to RAW_UNIT */
    uint32_t thread;    /* that claimed it; from 0, in order of first call */
    uint32_t sequence;  /* from 0: pieces of a thread's stream in order */
    uint32_t handed_on; /* 1: THREAD_START records give parts of it to other threads */
    uint32_t used;      /* the recorder's own: bytes in use when its thread ended */
};

/*
 * Records are made of 8-byte words. Word 0: enum trace_kind plus one in the low 5 bits (so that it
 * is never 0), flags in the next 3, the low 56 bits of the stamp above. What follows:
 *
 *   MALLOC           word 1: address, size      VALLOC, PVALLOC likewise
 *   CALLOC           word 1: address, size      word 2: elements
 *   aligned family   word 1: address, size      word 2: alignment
 *   FREE             word 1: address
 *   REALLOC          word 1: address, size      word 2: old address
 *                    word 3: stamp taken before the call (full 64 bits); word 0 has the one after
 *   THREAD_START     word 1: thread             word 2: sequence (as in struct raw_window)
 *   THREAD_END       word 1: 0                  more may follow: only a thread's last one counts
 *
 * "address, size": the address in the low 48 bits, the size in the high 16; a size of 65535 or
 * more is 0xffff there, and is carried whole by one more word at the end (RAW_LONG is set).
 * In a recording with call sites each call has, behind all that, its return addresses (RAW_SITED is
 * set): the first one in the low 48 bits of a word, and above them how many words with further ones
 * follow, at most RAW_DEPTH_MAX - 1.
 *
 * A failed call has address 0. free(NULL) is recorded with address 0.
 *
 * A record never straddles windows: what does not fit goes to the next one, the rest stays 0.
 */
enum {
    RAW_KIND_BITS = 5,
    RAW_LONG = 1 << 5,
    RAW_SITED = 1 << 6,
    RAW_STAMP_SHIFT = 8,
    RAW_WORDS_MAX = 5, /* without a site */
};
#define RAW_ADDRESS_MASK UINT64_C(0x0000ffffffffffff)
#define RAW_SIZE_SHIFT   48
#define RAW_SIZE_LONG    UINT64_C(0xffff)

/* CLOCK_MONOTONIC_RAW: the clock against which the stamp counter is measured. */
static inline uint64_t raw_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The stamp counter: the same on all cores, never goes back, of constant frequency. */
static inline uint64_t raw_stamp(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t stamp;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(stamp));
    return stamp;
#else
    return raw_clock_ns();
#endif
}

/*
 * Waits for the instructions before: else a processor may read its counter some 100 ns too early,
 * while it still fetches, from another core, the very address that is to be stamped.
 */
static inline void raw_stamp_fence(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
