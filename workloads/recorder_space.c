/*
 * The units of the raw file, see recorder_space.h.
 *
 * A segment is published by one compare-and-swap of its word, which holds address and size. Where
 * it lies in the file follows from the segment before. So threads that find a segment used up race
 * to publish the next one; the losers unmap what they mapped.
 */
#include "recorder_space.h"
#include "recorder_sys.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
    SEGMENT_FIRST_UNITS = 16,    /* 1 MiB: little address space for programs that record little */
    SEGMENT_MOST_UNITS = 256,    /* 16 MiB: a system call that stops other threads in a million
                                    records */
    SEGMENT_ALONE_UNITS = 16384, /* 1 GiB, where no segment can follow the first one */
    SEGMENTS_MAX = 4200,         /* 64 GiB; 4 GiB where address space is limited */
    TOUCH_STEP = 4096,           /* bytes; the smallest page there is */
};

/* Segment word: address (a multiple of 4096) and, in its low bits, the logarithm of its units. */
#define WORD_ORDER_MASK UINT64_C(0xfff)
#define WORD_GONE       UINT64_C(1) /* was unmapped: an address of 0 */

static struct segment {
    uint64_t word;    /* atomic; 0: there is none yet */
    uint64_t offset;  /* atomic; in the file; valid once there is a word */
    uint64_t claimed; /* atomic; units; may exceed what there is */
    uint64_t ended;   /* atomic; units that were given up, and one for the segment that follows,
                         less one for each thread that is mapping it */
} segments[SEGMENTS_MAX];

static uint32_t segment_last;    /* atomic: no segment before this one has units left */
static uint64_t space_bytes;     /* of the file */
static uint64_t units_most;      /* of a segment */
static bool populate_is_missing; /* the kernel is older than Linux 5.14 */

static char *word_base(uint64_t word)
{
    return (char *)(uintptr_t)(word & ~WORD_ORDER_MASK);
}

static uint64_t word_units(uint64_t word)
{
    return UINT64_C(1) << (word & WORD_ORDER_MASK);
}

static uint64_t word_bytes(uint64_t word)
{
    return word_units(word) * RAW_UNIT;
}

static unsigned order_of(uint64_t units)
{
    return 63 - (unsigned)__builtin_clzll(units);
}

/* Ends one use of the segment; the last one unmaps it, anchor included. */
static void segment_end(struct segment *segment, uint64_t word)
{
    uint64_t ended = __atomic_add_fetch(&segment->ended, 1, __ATOMIC_ACQ_REL);
    if (ended != word_units(word) + 1)
        return;
    __atomic_store_n(&segment->word, WORD_GONE, __ATOMIC_RELEASE);
    sys_munmap(word_base(word), word_bytes(word) + RAW_UNIT);
}

/* Keeps the segment mapped until segment_end; false: it may be gone already. */
static bool segment_hold(struct segment *segment, uint64_t word)
{
    uint64_t ended = __atomic_load_n(&segment->ended, __ATOMIC_ACQUIRE);
    do
        if (ended == word_units(word) + 1)
            return false;
    while (!__atomic_compare_exchange_n(&segment->ended, &ended, ended - 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE));
    return true;
}

/* The largest power of two up to `units` that the file still has at `offset`; 0: it is full. */
static uint64_t units_allowed(uint64_t units, uint64_t offset)
{
    uint64_t left = offset < space_bytes ? (space_bytes - offset) / RAW_UNIT : 0;
    while (units > left)
        units /= 2;
    return units;
}

static uint64_t units_after(uint64_t units)
{
    return units < units_most ? units * 2 : units_most;
}

/* Maps `anchor` once more, with up to *units before the next anchor. */
static char *anchor_duplicate(char *anchor, uint64_t *units)
{
    char *base;
    do
        base = sys_mremap(anchor, 0, (*units + 1) * RAW_UNIT, MREMAP_MAYMOVE);
    while ((long)base == -ENOMEM && (*units /= 2) > 0);
    return base;
}

/* Segment number `last` is held. */
static int segment_map_next(uint32_t last, uint64_t word)
{
    struct segment *segment = &segments[last];
    struct segment *next = segment + 1;
    uint64_t offset = __atomic_load_n(&segment->offset, __ATOMIC_RELAXED) + word_bytes(word);
    uint64_t units = units_allowed(units_after(word_units(word)), offset);
    if (units == 0)
        return -EFBIG;
    char *base = anchor_duplicate(word_base(word) + word_bytes(word), &units);
    if (sys_is_error((long)base))
        return (int)(long)base;
    uint64_t none = 0;
    uint64_t published = (uintptr_t)base | order_of(units);
    /* All that race for this segment store the same. */
    __atomic_store_n(&next->offset, offset, __ATOMIC_RELAXED);
    if (!__atomic_compare_exchange_n(&next->word, &none, published, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        sys_munmap(base, (units + 1) * RAW_UNIT);
        return 0;
    }
    __atomic_compare_exchange_n(&segment_last, &last, last + 1, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
    segment_end(segment, word);
    return 0;
}

/* Sees to it that segment number `last`, which has no unit left, is not the last one. */
static int segment_follow(uint32_t last, uint64_t word)
{
    struct segment *segment = &segments[last];
    if (last + 1 >= SEGMENTS_MAX)
        return -EFBIG;
    if (__atomic_load_n(&segment[1].word, __ATOMIC_ACQUIRE) == 0) {
        if (!segment_hold(segment, word))
            return 0;
        int error = segment_map_next(last, word);
        segment_end(segment, word);
        if (error != 0)
            return error;
    }
    /* Whoever published it may have been interrupted before this. */
    __atomic_compare_exchange_n(&segment_last, &last, last + 1, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
    return 0;
}

int space_claim(struct raw_window **window, uint64_t *end)
{
    for (;;) {
        uint32_t last = __atomic_load_n(&segment_last, __ATOMIC_ACQUIRE);
        struct segment *segment = &segments[last];
        uint64_t word = __atomic_load_n(&segment->word, __ATOMIC_ACQUIRE);
        if (word == WORD_GONE) /* meanwhile another one is the last */
            continue;
        uint64_t unit = __atomic_fetch_add(&segment->claimed, 1, __ATOMIC_RELAXED);
        if (unit < word_units(word)) {
            *window = (struct raw_window *)(word_base(word) + unit * RAW_UNIT);
            *end = __atomic_load_n(&segment->offset, __ATOMIC_RELAXED) + (unit + 1) * RAW_UNIT;
            return 0;
        }
        int error = segment_follow(last, word);
        if (error != 0)
            return error;
    }
}

/* A window that is in use keeps its segment mapped. */
static struct segment *segment_of(const void *p, uint64_t *word)
{
    uint32_t i = __atomic_load_n(&segment_last, __ATOMIC_ACQUIRE);
    for (;; i--) {
        *word = __atomic_load_n(&segments[i].word, __ATOMIC_ACQUIRE);
        if (*word != WORD_GONE && (uintptr_t)p - (uintptr_t)word_base(*word) < word_bytes(*word))
            return &segments[i];
    }
}

void space_give_up(struct raw_window *window)
{
    uint64_t word;
    struct segment *segment = segment_of(window, &word);
    sys_madvise(window, RAW_UNIT, MADV_DONTNEED);
    segment_end(segment, word);
}

/* The first mapping, of up to `units`. */
static char *space_map(int fd, uint64_t *units)
{
    char *base;
    do
        base = sys_mmap((*units + 1) * RAW_UNIT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, RAW_UNIT);
    while ((long)base == -ENOMEM && (*units /= 2) > 0);
    return base;
}

static bool can_be_duplicated(char *anchor)
{
    char *copy = sys_mremap(anchor, 0, RAW_UNIT, MREMAP_MAYMOVE);
    if (sys_is_error((long)copy))
        return false;
    sys_munmap(copy, RAW_UNIT);
    return true;
}

int space_begin(int fd, uint64_t file_bytes)
{
    space_bytes = file_bytes;
    /* Where address space is limited, the program needs it more than we do. Asked once: later it
       may have forbidden itself the system call. */
    bool limited = sys_limit(RLIMIT_AS) != RLIM_INFINITY;
    units_most = limited ? SEGMENT_FIRST_UNITS : SEGMENT_MOST_UNITS;
    uint64_t units = units_allowed(SEGMENT_FIRST_UNITS, RAW_UNIT);
    if (units == 0)
        return -EFBIG;
    char *base = space_map(fd, &units);
    if (!sys_is_error((long)base) && !can_be_duplicated(base + units * RAW_UNIT)) {
        sys_munmap(base, (units + 1) * RAW_UNIT);
        units = units_allowed(SEGMENT_ALONE_UNITS, RAW_UNIT);
        base = space_map(fd, &units);
    }
    if (sys_is_error((long)base))
        return (int)(long)base;
    segments[0].offset = RAW_UNIT;
    __atomic_store_n(&segments[0].word, (uintptr_t)base | order_of(units), __ATOMIC_RELEASE);
    return 0;
}

void space_forget(bool unmap)
{
    for (uint32_t i = 0; i < SEGMENTS_MAX && segments[i].word != 0; i++) {
        uint64_t word = segments[i].word;
        if (word != WORD_GONE && unmap)
            sys_munmap(word_base(word), word_bytes(word) + RAW_UNIT);
        segments[i] = (struct segment){0};
    }
    segment_last = 0;
}

/*
 * Where a page cannot be had, a system call that writes to it fails with EFAULT, whereas the
 * program's own store raises SIGBUS. So kernels without MADV_POPULATE_WRITE are made to store into
 * each page: a set of blocked signals, since that call is allowed wherever we come this far.
 */
static int touch_pages(char *start, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += TOUCH_STEP) {
        long set = (long)(start + at);
        int error = (int)sys_call(SYS_rt_sigprocmask, 0, 0, set, sizeof(uint64_t), 0, 0);
        if (error != 0)
            return error;
        *(uint64_t *)(start + at) = 0;
    }
    return 0;
}

int space_reserve(void *start, uint64_t from, uint64_t to)
{
    int error = -EINVAL;
    if (!populate_is_missing)
        error = sys_madvise(start, to, MADV_POPULATE_WRITE);
    if (error == -EINVAL) {
        populate_is_missing = true;
        error = touch_pages(start, from, to);
    }
    return error == -EFAULT ? -ENOSPC : error;
}
