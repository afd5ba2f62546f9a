/*
 * The units of the raw file, see recorder_space.h.
 *
 * A segment is published by one compare-and-swap of its word, which holds address, size and whether
 * it is for one thread. Where it lies in the file follows from the segment before. So threads that
 * need another one race to publish it; the losers unmap what they mapped.
 *
 * A busy thread will fill what it is given. So it has segments of its own, for which the kernel is
 * asked to use huge pages: one fault and one reservation of blocks for 130,000 records, and no
 * other thread waits meanwhile for the same page.
 */
#include "recorder_space.h"
#include "recorder_sys.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
    SEGMENT_UNITS = 32,          /* 2 MiB, and so they begin in the file: one huge page */
    SEGMENT_LIMITED_UNITS = 16,  /* 1 MiB, where address space is limited */
    SEGMENT_ALONE_UNITS = 16384, /* 1 GiB, where no segment can follow the first one */
    SEGMENTS_MAX = 32768,        /* 64 GiB; half of it where address space is limited */
    PAGE_LEAST = 4096,           /* bytes; the smallest page there is */
};

/* Segment word: address (a multiple of 4096) and, in its low bits, the logarithm of its units and
   what kind it is of. */
#define WORD_ORDER_MASK UINT64_C(0xff)
#define WORD_OWN        UINT64_C(0x100) /* all its units are for the thread that published it */
#define WORD_SHORT      UINT64_C(0x200) /* it has a unit less */
#define WORD_LOW_BITS   UINT64_C(0xfff)
#define WORD_GONE       UINT64_C(1) /* was unmapped: an address of 0 */

static struct segment {
    uint64_t word;    /* atomic; 0: there is none yet */
    uint64_t offset;  /* atomic; in the file; valid once there is a word */
    uint64_t claimed; /* atomic; units; may exceed what there is */
    uint64_t ended;   /* atomic; units that were given up, and one for the segment that follows,
                         less one for each thread that is mapping it */
} segments[SEGMENTS_MAX];

static uint32_t segment_last;    /* atomic: all before this one are followed */
static uint32_t segment_common;  /* atomic: none before this one, but those of single threads, has
                                    units left */
static uint64_t space_bytes;     /* of the file */
static uint64_t units_most;      /* of a segment that follows */
static bool space_is_ample;      /* threads may have segments of their own */
static bool huge_is_wanted;      /* for those */
static bool populate_is_missing; /* the kernel is older than Linux 5.14 */

/* A file that large has room for many threads with segments of their own; arbitrary. */
#define SPACE_AMPLE (UINT64_C(1) << 30)

static char *word_base(uint64_t word)
{
    return (char *)(uintptr_t)(word & ~WORD_LOW_BITS);
}

static uint64_t word_units(uint64_t word)
{
    return (UINT64_C(1) << (word & WORD_ORDER_MASK)) - (word & WORD_SHORT ? 1 : 0);
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

/* Maps `anchor` once more, with up to *units before the next anchor. */
static char *anchor_duplicate(char *anchor, uint64_t *units)
{
    char *base;
    do
        base = sys_mremap(anchor, 0, (*units + 1) * RAW_UNIT, MREMAP_MAYMOVE);
    while ((long)base == -ENOMEM && (*units /= 2) > 0);
    return base;
}

static void number_raise(uint32_t *number, uint32_t to)
{
    uint32_t known = __atomic_load_n(number, __ATOMIC_RELAXED);
    while (known < to && !__atomic_compare_exchange_n(number, &known, to, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_RELAXED))
        ;
}

/* Segment number `i` was published; whoever did that may have been interrupted before this. That it
   is for all is made known before it is the last one: see space_claim. */
static void segment_enter(uint32_t i)
{
    uint64_t word = __atomic_load_n(&segments[i].word, __ATOMIC_ACQUIRE);
    if (word == WORD_GONE) /* long ago, then */
        return;
    if (!(word & WORD_OWN))
        number_raise(&segment_common, i);
    number_raise(&segment_last, i);
}

/* Segment number `last` is held. `kind`: WORD_OWN or 0. */
static int segment_map_next(uint32_t last, uint64_t word, uint64_t kind, bool *published)
{
    struct segment *segment = &segments[last];
    struct segment *next = segment + 1;
    uint64_t offset = __atomic_load_n(&segment->offset, __ATOMIC_RELAXED) + word_bytes(word);
    uint64_t units = units_allowed(units_most, offset);
    if (units == 0)
        return -EFBIG;
    char *base = anchor_duplicate(word_base(word) + word_bytes(word), &units);
    if (sys_is_error((long)base))
        return (int)(long)base;
    if (kind == WORD_OWN && huge_is_wanted)
        sys_madvise(base, units * RAW_UNIT, MADV_HUGEPAGE);
    uint64_t none = 0;
    uint64_t wanted = (uintptr_t)base | order_of(units) | kind;
    /* All that race for this segment store the same. */
    __atomic_store_n(&next->offset, offset, __ATOMIC_RELAXED);
    *published = __atomic_compare_exchange_n(&next->word, &none, wanted, false, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE);
    if (!*published) {
        sys_munmap(base, (units + 1) * RAW_UNIT);
        return 0;
    }
    segment_enter(last + 1);
    segment_end(segment, word);
    return 0;
}

/* Sees to it that segment number `last` is followed; *published: by one of ours. */
static int segment_follow(uint32_t last, uint64_t kind, bool *published)
{
    struct segment *segment = &segments[last];
    *published = false;
    if (last + 1 >= SEGMENTS_MAX)
        return -EFBIG;
    if (__atomic_load_n(&segment[1].word, __ATOMIC_ACQUIRE) != 0) {
        segment_enter(last + 1);
        return 0;
    }
    uint64_t word = __atomic_load_n(&segment->word, __ATOMIC_ACQUIRE);
    if (word == WORD_GONE || !segment_hold(segment, word)) /* it is followed, then */
        return 0;
    int error = segment_map_next(last, word, kind, published);
    segment_end(segment, word);
    return error;
}

/* false: that segment has no unit left. */
static bool unit_claim(struct segment *segment, struct raw_window **window, uint64_t *end)
{
    uint64_t word = __atomic_load_n(&segment->word, __ATOMIC_ACQUIRE);
    if (word == WORD_GONE)
        return false;
    uint64_t unit = __atomic_fetch_add(&segment->claimed, 1, __ATOMIC_RELAXED);
    if (unit >= word_units(word))
        return false;
    *window = (struct raw_window *)(word_base(word) + unit * RAW_UNIT);
    *end = __atomic_load_n(&segment->offset, __ATOMIC_RELAXED) + (unit + 1) * RAW_UNIT;
    return true;
}

int space_claim(struct raw_window **window, uint64_t *end)
{
    for (;;) {
        bool published;
        uint32_t common = __atomic_load_n(&segment_common, __ATOMIC_ACQUIRE);
        if (unit_claim(&segments[common], window, end))
            return 0;
        uint32_t last = __atomic_load_n(&segment_last, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&segment_common, __ATOMIC_ACQUIRE) != common)
            continue; /* else none up to the last one has a unit left */
        int error = segment_follow(last, 0, &published);
        if (error != 0)
            return error;
    }
}

static int ahead_claim(struct space_ahead *ahead)
{
    bool published;
    uint32_t last;
    do {
        last = __atomic_load_n(&segment_last, __ATOMIC_ACQUIRE);
        int error = segment_follow(last, WORD_OWN, &published);
        if (error != 0)
            return error;
    } while (!published);
    struct segment *own = &segments[last + 1];
    uint64_t word = __atomic_load_n(&own->word, __ATOMIC_RELAXED);
    ahead->next = word_base(word);
    ahead->offset = __atomic_load_n(&own->offset, __ATOMIC_RELAXED);
    ahead->units = (uint32_t)word_units(word);
    return 0;
}

static struct raw_window *ahead_take(struct space_ahead *ahead)
{
    struct raw_window *window = (struct raw_window *)ahead->next;
    ahead->next += RAW_UNIT;
    ahead->offset += RAW_UNIT;
    ahead->units--;
    return window;
}

int space_claim_ahead(struct space_ahead *ahead, struct raw_window **window, uint64_t *end)
{
    if (!space_is_ample)
        return space_claim(window, end);
    int error = ahead->units == 0 ? ahead_claim(ahead) : 0;
    if (error != 0)
        return error;
    *window = ahead_take(ahead);
    *end = ahead->offset;
    return 0;
}

void space_give_up_ahead(struct space_ahead *ahead)
{
    while (ahead->units > 0)
        space_give_up(ahead_take(ahead));
}

/* A window that is in use keeps its segment mapped. */
static struct segment *segment_of(const void *p, uint64_t *word)
{
    uint32_t i = __atomic_load_n(&segment_last, __ATOMIC_ACQUIRE);
    while (i + 1 < SEGMENTS_MAX && __atomic_load_n(&segments[i + 1].word, __ATOMIC_ACQUIRE) != 0)
        i++; /* whoever published it may have been interrupted */
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
    if (!(word & WORD_OWN)) /* else it would be the whole huge page that goes */
        sys_madvise(window, RAW_UNIT, MADV_DONTNEED);
    segment_end(segment, word);
}

/* The first mapping, of up to `units`, which are a power of two less one. */
static char *space_map(int fd, uint64_t *units)
{
    char *base;
    do
        base = sys_mmap((*units + 1) * RAW_UNIT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, RAW_UNIT);
    while ((long)base == -ENOMEM && (*units /= 2) > 0);
    return base;
}

/* Of the first `units` of the file, which has two at least. */
static uint64_t units_behind_header(uint64_t units)
{
    return units_allowed(units, 0) - 1;
}

static bool can_be_duplicated(char *anchor)
{
    char *copy = sys_mremap(anchor, 0, RAW_UNIT, MREMAP_MAYMOVE);
    if (sys_is_error((long)copy))
        return false;
    sys_munmap(copy, RAW_UNIT);
    return true;
}

/* Where pages are larger, a huge one has 32 or 512 MiB. Advice about nothing tells: it is refused
   where no page begins. */
static bool pages_are_small(char *base)
{
    return sys_madvise(base + PAGE_LEAST, 0, MADV_NORMAL) == 0;
}

void space_read_no_further(void *start, uint64_t bytes)
{
    sys_madvise(start, bytes, MADV_RANDOM);
}

int space_begin(int fd, uint64_t file_bytes, bool huge)
{
    space_bytes = file_bytes;
    /* Where address space is limited, the program needs it more than we do. Asked once: later it
       may have forbidden itself the system call. */
    bool limited = sys_limit(RLIMIT_AS) != RLIM_INFINITY;
    space_is_ample = !limited && file_bytes >= SPACE_AMPLE;
    units_most = limited ? SEGMENT_LIMITED_UNITS : SEGMENT_UNITS;
    uint64_t units = units_behind_header(units_most);
    char *base = space_map(fd, &units);
    if (!sys_is_error((long)base) && !can_be_duplicated(base + units * RAW_UNIT)) {
        sys_munmap(base, (units + 1) * RAW_UNIT);
        units = units_behind_header(SEGMENT_ALONE_UNITS);
        base = space_map(fd, &units);
        space_is_ample = false;
    }
    if (sys_is_error((long)base))
        return (int)(long)base;
    huge_is_wanted = huge && space_is_ample && pages_are_small(base);
    space_read_no_further(base, (units + 1) * RAW_UNIT);
    segments[0].offset = RAW_UNIT;
    uint64_t word = (uintptr_t)base | order_of(units + 1) | WORD_SHORT;
    __atomic_store_n(&segments[0].word, word, __ATOMIC_RELEASE);
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
    segment_common = 0;
}

/*
 * Where a page cannot be had, a system call that writes to it fails with EFAULT, whereas the
 * program's own store raises SIGBUS. So kernels without MADV_POPULATE_WRITE are made to store into
 * each page: a set of blocked signals, since that call is allowed wherever we come this far.
 */
static int touch_pages(char *start, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += PAGE_LEAST) {
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
