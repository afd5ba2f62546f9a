/*
 * Thread caches: blocks that a thread freed lately, by size class, so that the next malloc of that
 * size takes one without a lock, a search or a split. As far as their heap knows these blocks are
 * in use; they go home and are merged with their neighbours when a class overflows or the thread
 * ends.
 *
 * A class has an array of payloads, last freed first to be taken. Arrays begin empty, and are
 * enlarged as they run dry or over, as long as what all of them could hold, the capacity, is within
 * the budget: a part of the heap. Beyond that, classes that did neither for a while give up half of
 * their capacity. A class may have a part of the budget; in a program with threads, one that
 * overflows again and again may have all that the others leave. Gross sizes up to CACHE_EXACT_MAX
 * have a class each; above there are eight classes a doubling, and requests are rounded up to the
 * size of their class, so that any block of a class serves any request for it.
 *
 * A cache that holds more blocks than are left of what the program had waits for nothing: it is
 * drained, and what is freed from then on goes home at once, or each of these few blocks would hold
 * a span of 2 MiB. The next malloc ends that.
 *
 * A program that frees many blocks in a row has often not looked at them for long: their headers
 * would be fetched from memory one by one. So after some frees in a row the next ones are delayed:
 * the header is asked for, and looked at a few frees later. The next malloc ends that.
 */
#ifndef ALLOCATOR_THREAD_CACHE_H
#define ALLOCATOR_THREAD_CACHE_H

#include "arena.h"

enum {
    CACHE_EXACT_MAX = 1024,
    CACHE_CLASSES_A_DOUBLING_LOG2 = 3,
    CACHE_CLASSES_A_DOUBLING = 1 << CACHE_CLASSES_A_DOUBLING_LOG2,
    CACHE_GROSS_MAX = 8 * 1024, /* larger blocks go straight to their heap */
    CACHE_UNIT = 128,           /* all classes above CACHE_EXACT_MAX are for multiples of it */
    CACHE_UNITS = CACHE_GROSS_MAX / CACHE_UNIT,
    CACHE_CLASSES = 64 + 3 * CACHE_CLASSES_A_DOUBLING + 1,
    CACHE_FREES_IN_A_ROW = 32, /* from here on they are delayed; arbitrary, more than the frees of
                                  one object's parts */
    CACHE_DELAY = 16,          /* blocks; a power of two */
    /* Delayed frees from one look at whether the cache is to be drained to the next; arbitrary,
       a look costs some 400 instructions. */
    CACHE_LOOK = 256,
    CACHE_PATIENCE = 16, /* refills that find the arena busy before the thread joins another one;
                            arbitrary */
    CACHE_REQUEST_MAX = CACHE_GROSS_MAX - BLOCK_HEADER,
};

/* A thread's blocks of a size class. */
struct cache_class {
    void **payloads;
    uint32_t gross; /* what its blocks have at least */
    uint16_t count;
    uint16_t limit; /* entries of payloads */
};

struct thread_cache {
    size_t frees; /* since the last malloc; above CACHE_FREES_IN_A_ROW, `delayed` may hold some */
    size_t turn;  /* delayed[turn % CACHE_DELAY] is the oldest of them */
    struct cache_class classes[CACHE_CLASSES];
    void *delayed[CACHE_DELAY]; /* payloads that were freed but not looked at; NULL: none */
    uint8_t class_below[CACHE_UNITS + 1]; /* see cache_class_of */
    uint8_t class_above[CACHE_UNITS + 1];
    struct arena *arena;            /* what the thread takes blocks from */
    unsigned waits;                 /* refills that found it busy, since the thread joined it */
    size_t capacity;                /* bytes of blocks that the classes could hold */
    unsigned reclaims;              /* index of the class that was asked last to give up capacity */
    bool is_busy[CACHE_CLASSES];    /* ran dry or over since it was asked */
    uint8_t flushes[CACHE_CLASSES]; /* overflows while there were threads, up to some */
    bool is_draining; /* holds nothing, and is to hold nothing before the next malloc */
};

static inline bool cache_can_hold(size_t gross)
{
    return gross <= CACHE_GROSS_MAX && gross >= BLOCK_MIN;
}

/* The class in which a block of `gross` bytes is kept; at most CACHE_GROSS_MAX. */
static inline struct cache_class *cache_class_of(struct thread_cache *cache, size_t gross)
{
    if (__builtin_expect(gross <= CACHE_EXACT_MAX, 1))
        return &cache->classes[gross / ALIGNMENT];
    return &cache->classes[cache->class_below[gross / CACHE_UNIT]];
}

/* The class whose blocks serve a request of at most CACHE_REQUEST_MAX bytes. */
static inline struct cache_class *cache_class_for(struct thread_cache *cache, size_t request)
{
    size_t gross = block_gross(request);
    if (__builtin_expect(gross <= CACHE_EXACT_MAX, 1))
        return &cache->classes[gross / ALIGNMENT];
    return &cache->classes[cache->class_above[(gross + CACHE_UNIT - 1) / CACHE_UNIT]];
}

static inline bool cache_delays(const struct thread_cache *cache)
{
    return cache->frees > CACHE_FREES_IN_A_ROW;
}

/* Puts a used block into a class that has room. */
static inline void cache_put(struct thread_cache *cache, struct cache_class *class,
                             struct block *block)
{
    block_mark(block, BLOCK_MAGIC_CACHED);
    class->payloads[class->count++] = block_payload(block);
    cache->frees++;
}

/* Takes a block out of a class that is not empty: its payload. */
static inline void *cache_take(struct thread_cache *cache, struct cache_class *class)
{
    void *p = class->payloads[--class->count];
    block_mark(block_from_payload(p), BLOCK_MAGIC_USED);
    cache->frees = 0;
    return p;
}

/* Checks a payload and frees its block straight to the arena. */
void cache_bypass(void *p);

/* The same with all blocks whose free is delayed. */
void cache_free_delayed(struct thread_cache *cache);

/* A cache over the arena, empty; NULL without memory. */
struct thread_cache *cache_new(struct arena *arena);

/* Brings all blocks home and frees the cache itself. None may be delayed. */
void cache_delete(struct thread_cache *cache);

/* A block for an empty class's request, from the arena, with more of its size for the next ones:
   its payload, or NULL without memory. */
void *cache_refill(struct thread_cache *cache, struct cache_class *class);

/* Makes room for one more block in a full class; false: there is none, and no block can be put
   there. */
bool cache_make_room(struct thread_cache *cache, struct cache_class *class);

/* Whether most of what the heap has given is free and more of the rest is here than with the
   program. */
bool cache_is_left_over(struct thread_cache *cache);

/* Brings all blocks home, gives up all capacity and begins to drain. None may be delayed. */
void cache_drain(struct thread_cache *cache);

#endif
