/*
 * Who called: the call sites of librecord-sites.so, which is librecord.so built once more with
 * RECORD_SITES defined. Without it all of this is nothing: no word in a record, no instruction in a
 * call. A site is kept as return addresses; the modules that they lie in are noted in the raw
 * file's header when the first call comes from them (struct raw_module).
 */
#ifndef WORKLOADS_RECORDER_SITES_H
#define WORKLOADS_RECORDER_SITES_H

#include "recorder_image.h"

#include <stdbool.h>
#include <stddef.h>

/* Where an exported function was called from. Valid until that function returns. */
struct caller {
    uint64_t address; /* it returns to */
    const uint64_t
        *frame; /* its frame: at [0] the frame pointer of its caller, if that keeps one */
};

#ifdef RECORD_SITES

#define RECORDER_LIBRARY "librecord-sites.so"

enum {
    RECORDER_SITE_WORDS = RAW_DEPTH_MAX,
    SITES_RANGES = 4,
    SITES_REFRESH_BYTES = RAW_STEP, /* of records between two calls of sites_refresh, at most */
};

/* Only in a function that the program calls, or in one that is inlined there for certain. */
#define CALLER()                                                                                   \
    ((struct caller){(uintptr_t)__builtin_return_address(0), __builtin_frame_address(0)})

/* A piece of the address space. */
struct sites_range {
    uint64_t start;
    uint64_t bytes; /* 0: none */
};

/* What a thread knows. All zero is a new thread's. */
struct sites_cache {
    struct sites_range
        modules[SITES_RANGES]; /* noted ones that it came from lately, the last first */
    bool stack_is_known;       /* it was looked for, at least */
    struct sites_range stack;
};

/* In a child after fork: nothing is noted in its file yet. */
void sites_forget(void);
/* The calling thread begins a new piece of its window: modules may have come and gone. */
void sites_refresh(struct sites_cache *cache);

/* Takes note of the module that an address lies in, which is then the first of the cache. false: it
   is in none. */
__attribute__((noinline)) bool sites_meet(struct sites_cache *cache, uint64_t address);
/* The callers of the first frame; returns how many frames there are with that. */
__attribute__((noinline)) unsigned sites_unwind(struct sites_cache *cache, struct caller caller,
                                                uint64_t frames[RAW_DEPTH_MAX]);

static inline bool sites_range_has(const struct sites_range *range, uint64_t address)
{
    return address - range->start < range->bytes;
}

/* The frames of a site, the innermost first; returns how many there are. */
static inline __attribute__((always_inline)) unsigned
sites_frames(struct sites_cache *cache, struct caller caller, uint64_t frames[RAW_DEPTH_MAX])
{
    frames[0] = caller.address;
    if (__builtin_expect(!sites_range_has(&cache->modules[0], caller.address), 0))
        sites_meet(cache, caller.address);
    return __builtin_expect(image_site_depth > 1, 0) ? sites_unwind(cache, caller, frames) : 1;
}

#else

#define RECORDER_LIBRARY "librecord.so"

enum { RECORDER_SITE_WORDS = 0, SITES_REFRESH_BYTES = RAW_UNIT };

#define CALLER() ((struct caller){0, NULL})

struct sites_cache {
    char nothing[0];
};

static inline unsigned sites_frames(struct sites_cache *cache, struct caller caller,
                                    uint64_t frames[RAW_DEPTH_MAX])
{
    (void)cache, (void)caller, (void)frames;
    return 0;
}

static inline void sites_forget(void)
{
}

static inline void sites_refresh(struct sites_cache *cache)
{
    (void)cache;
}

#endif

#endif
