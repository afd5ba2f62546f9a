/* Refilling, flushing and the size of thread caches: see thread_cache.h. */
#include "thread_cache.h"
#include "deferred.h"
#include "inner.h"

#include <errno.h>
#include <string.h>

enum {
    CACHE_LIMIT_FIRST = 4,         /* blocks of a class that was used for the first time */
    CACHE_LIMIT_MAX = 1024,        /* and the most that it may hold */
    CACHE_CLASS_SHARE = 4,         /* what part of the budget a class may have */
    CACHE_HEAVY_FLUSHES = 16,      /* after so many a class is heavy, where threads share arenas: it
                                      may have all of the budget; arbitrary */
    CACHE_HEAVY_MAX = 16 * 1024,   /* blocks that it may hold */
    CACHE_GROW_SHARE = 8,          /* an array is not enlarged by less than this part */
    CACHE_BUDGET_SHARE = 8,        /* what part of its heap a cache may hold */
    CACHE_BUDGET_MIN = 128 * 1024, /* bytes that it may always hold */
    CACHE_BUDGET_MIN_THREADED = 1024 * 1024, /* the same where threads share arenas */
    CACHE_FEW_THREADS = 8,              /* as many have that; more share what these would have */
    CACHE_FILL_BYTES = 4096,            /* taken from the heap at once; a page */
    CACHE_FILL_MAX = 64,                /* blocks */
    CACHE_FLUSH_SHARE = 2,              /* what part of a class that overflows goes home */
    CACHE_DRAIN_FROM = 4 * 1024 * 1024, /* mapped bytes of a heap that are worth a drain */
    CACHE_LEFT_SHARE = 16, /* a drain begins when the program has so much fewer blocks than the
                              cache: each of them goes home by itself then */
    CACHE_DRAIN_SHARE = 4, /* and what part of its blocks are left then: the next one is due when
                              as many have come and gone again */
};

static size_t class_gross(unsigned index)
{
    const unsigned exact = CACHE_EXACT_MAX / ALIGNMENT;
    if (index <= exact)
        return (size_t)index * ALIGNMENT;
    unsigned above = index - exact;
    unsigned doubling = above / CACHE_CLASSES_A_DOUBLING;
    size_t begin = (size_t)CACHE_EXACT_MAX << doubling;
    return begin + above % CACHE_CLASSES_A_DOUBLING * (begin / CACHE_CLASSES_A_DOUBLING);
}

static void cache_number_units(struct thread_cache *cache)
{
    uint8_t class = CACHE_EXACT_MAX / ALIGNMENT;
    for (size_t unit = CACHE_EXACT_MAX / CACHE_UNIT; unit <= CACHE_UNITS; unit++) {
        if (cache->classes[class].gross < unit * CACHE_UNIT)
            class ++;
        bool exact = cache->classes[class].gross == unit * CACHE_UNIT;
        cache->class_above[unit] = class;
        cache->class_below[unit] = exact ? class : class - 1;
    }
}

struct thread_cache *cache_new(struct arena *arena)
{
    struct thread_cache *cache = arena_allocate_zeroed(arena, sizeof *cache);
    if (!cache)
        return NULL;
    cache->arena = arena;
    for (unsigned i = 0; i < CACHE_CLASSES; i++)
        cache->classes[i].gross = (uint32_t)class_gross(i);
    cache_number_units(cache);
    return cache;
}

void cache_bypass(void *p)
{
    arena_free(block_payload(inner_freed(p)));
}

void cache_free_delayed(struct thread_cache *cache)
{
    for (unsigned i = 0; i < CACHE_DELAY; i++) {
        void *p = cache->delayed[i];
        cache->delayed[i] = NULL;
        if (p)
            cache_bypass(p);
    }
}

/* Brings the first `count` blocks of a class home, each to its own heap. */
static void class_flush(struct thread_cache *cache, struct cache_class *class, size_t count)
{
    if (count == 0)
        return;
    arena_free_run(cache->arena, class->payloads, count);
    class->count -= (uint16_t)count;
    memmove(class->payloads, class->payloads + count, class->count * sizeof *class->payloads);
}

/* Brings all blocks home, and the arrays. */
static void cache_empty(struct thread_cache *cache)
{
    for (unsigned i = 0; i < CACHE_CLASSES; i++) {
        struct cache_class *class = &cache->classes[i];
        class_flush(cache, class, class->count);
        if (class->payloads)
            arena_free(class->payloads);
        class->payloads = NULL;
        class->limit = 0;
    }
    cache->capacity = 0;
}

void cache_delete(struct thread_cache *cache)
{
    cache_empty(cache);
    arena_free(cache);
}

static size_t cache_count(const struct thread_cache *cache)
{
    size_t count = 0;
    for (unsigned i = 0; i < CACHE_CLASSES; i++)
        count += cache->classes[i].count;
    return count;
}

bool cache_is_left_over(struct thread_cache *cache)
{
    const struct heap *heap = &cache->arena->heap;
    bool locked = arena_lock(cache->arena);
    size_t taken = heap->taken;
    bool fell = taken <= heap->taken_peak / CACHE_DRAIN_SHARE;
    bool worth = heap->spans.mapped >= CACHE_DRAIN_FROM;
    arena_unlock(cache->arena, locked);
    if (!fell || !worth)
        return false;
    size_t count = cache_count(cache);
    return taken <= count + count / CACHE_LEFT_SHARE + CACHE_LOOK;
}

void cache_drain(struct thread_cache *cache)
{
    struct arena *arena = cache->arena;
    cache_empty(cache);
    cache->is_draining = true;
    cache->frees = 0; /* nothing is delayed now, and frees that go home are not counted */
    bool locked = arena_lock(arena);
    arena->heap.taken_peak = arena->heap.taken;
    arena_unlock(arena, locked);
}

/* Bytes that a cache may always hold beside those of other threads. */
static size_t least_threaded(void)
{
    size_t threads = arena_threads();
    size_t least = (size_t)CACHE_BUDGET_MIN_THREADED;
    if (threads > CACHE_FEW_THREADS)
        least = least * CACHE_FEW_THREADS / threads;
    return least < CACHE_BUDGET_MIN / 4 ? CACHE_BUDGET_MIN / 4 : least;
}

/*
 * Bytes of blocks that the cache may hold. The way home costs most where locks do, and there it
 * may lead to other heaps than the one of which this is a share.
 */
static size_t cache_budget(struct thread_cache *cache)
{
    bool locked = arena_lock(cache->arena);
    size_t share = cache->arena->heap.spans.mapped / CACHE_BUDGET_SHARE;
    arena_unlock(cache->arena, locked);
    size_t least = locked ? least_threaded() : CACHE_BUDGET_MIN;
    return share < least ? least : share;
}

static bool class_is_heavy(const struct thread_cache *cache, const struct cache_class *class)
{
    return cache->flushes[class - cache->classes] >= CACHE_HEAVY_FLUSHES;
}

/* Blocks that a class may hold of a cache that may hold `budget` bytes. */
static size_t limit_max(const struct thread_cache *cache, const struct cache_class *class,
                        size_t budget)
{
    bool heavy = class_is_heavy(cache, class);
    size_t most = heavy ? CACHE_HEAVY_MAX : CACHE_LIMIT_MAX;
    size_t limit = budget / (heavy ? 1 : CACHE_CLASS_SHARE) / class->gross;
    if (limit == 0)
        limit = 1;
    return limit < most ? limit : most;
}

/* Halves the limit of a class; what is beyond it goes home. The bytes of capacity that this gives
   up. */
static size_t class_shrink(struct thread_cache *cache, struct cache_class *class)
{
    uint16_t limit = class->limit / 2 < CACHE_LIMIT_FIRST ? 0 : class->limit / 2;
    size_t less = (size_t)(class->limit - limit) * class->gross;
    if (class->count > limit)
        class_flush(cache, class, (size_t)(class->count - limit));
    class->limit = limit;
    return less;
}

/*
 * Asks the next class, which gives up capacity if it neither ran dry nor over since it was asked
 * last. One only: until all have been asked, a class in use has had its say.
 */
static void cache_reclaim(struct thread_cache *cache)
{
    cache->reclaims = (cache->reclaims + 1) % CACHE_CLASSES;
    if (!cache->is_busy[cache->reclaims])
        cache->capacity -= class_shrink(cache, &cache->classes[cache->reclaims]);
    cache->is_busy[cache->reclaims] = false;
}

/* Gives a class an array of `limit` payloads; false without memory. errno is kept. */
static bool class_extend(struct thread_cache *cache, struct cache_class *class, size_t limit)
{
    int saved_errno = errno;
    void **payloads = arena_allocate(cache->arena, limit * sizeof *payloads);
    errno = saved_errno;
    if (!payloads)
        return false;
    if (class->payloads) {
        memcpy(payloads, class->payloads, class->count * sizeof *payloads);
        arena_free(class->payloads);
    }
    cache->capacity += (limit - class->limit) * class->gross;
    class->payloads = payloads;
    class->limit = (uint16_t)limit;
    return true;
}

/* What is left of a budget, in blocks of the class. */
static size_t blocks_left(const struct thread_cache *cache, const struct cache_class *class,
                          size_t budget)
{
    return cache->capacity < budget ? (budget - cache->capacity) / class->gross : 0;
}

/* Doubles the limit of a class, at most to `max`, if the budget allows that; false if it stays as
   it is. A heavy class takes what is left of the budget. errno is kept. */
static bool class_grow(struct thread_cache *cache, struct cache_class *class, size_t max)
{
    if (class->limit >= max)
        return false;
    size_t budget = cache_budget(cache);
    size_t limit = class->limit ? (size_t)2 * class->limit : CACHE_LIMIT_FIRST;
    if (limit > max)
        limit = max;
    if (limit > limit_max(cache, class, budget))
        limit = limit_max(cache, class, budget);
    if (limit > class->limit + blocks_left(cache, class, budget))
        cache_reclaim(cache);
    size_t possible = class->limit + blocks_left(cache, class, budget);
    if (limit > possible)
        limit = class_is_heavy(cache, class) ? possible : 0;
    return limit > class->limit + class->limit / CACHE_GROW_SHARE &&
           class_extend(cache, class, limit);
}

static size_t fill_of(const struct cache_class *class)
{
    size_t fill = CACHE_FILL_BYTES / class->gross;
    if (fill > CACHE_FILL_MAX)
        fill = CACHE_FILL_MAX;
    return fill;
}

/* The class of a block that another thread freed; fatal if its header was overwritten since. */
static struct cache_class *class_of_sent(struct thread_cache *cache, struct block *block)
{
    size_t gross = block_size(block);
    deferred_check(block_payload(block));
    if (!cache_can_hold(gross))
        misuse_abort(IN_MALLOC, block_payload(block), "header was overwritten");
    return cache_class_of(cache, gross);
}

/* Takes what other threads sent home into the classes that have room for it; the rest is freed. */
static void cache_take_sent(struct thread_cache *cache)
{
    void *rest[CACHE_FILL_MAX];
    size_t count = 0;
    bool grows = true; /* the budget may have room still */
    for (struct block *block = arena_take_sent(cache->arena); block;) {
        struct block *next = block->next; /* freeing links it anew */
        __builtin_prefetch(block->prev, 1);
        struct cache_class *class = class_of_sent(cache, block);
        if (class->count == class->limit)
            grows = grows && class_grow(cache, class, CACHE_HEAVY_MAX);
        if (class->count < class->limit)
            class->payloads[class->count++] = block_payload(block);
        else
            rest[count++] = block_payload(block);
        if (count == CACHE_FILL_MAX || (count && !next)) {
            arena_free_run(cache->arena, rest, count);
            count = 0;
        }
        block = next;
    }
}

/* Before the arena's lock is waited for. */
static void cache_note_wait(struct thread_cache *cache)
{
    if (!arena_is_busy(cache->arena) || ++cache->waits < CACHE_PATIENCE)
        return;
    cache->arena = arena_move(cache->arena);
    cache->waits = 0;
}

void *cache_refill(struct thread_cache *cache, struct cache_class *class)
{
    cache->is_busy[class - cache->classes] = true;
    size_t fill = fill_of(class);
    if (class->limit < 2 * fill)
        class_grow(cache, class, 2 * fill);
    cache_take_sent(cache);
    if (class->count)
        return cache_take(cache, class);
    if (fill > class->limit / 2)
        fill = class->limit / 2;
    void *one;
    void **payloads = fill > 1 ? class->payloads : &one;
    cache_note_wait(cache);
    size_t count = arena_allocate_run(cache->arena, class->gross, payloads, fill > 1 ? fill : 1);
    if (count == 0)
        return NULL;
    for (size_t i = 0; i + 1 < count; i++)
        block_mark(block_from_payload(payloads[i]), BLOCK_MAGIC_CACHED);
    if (fill > 1)
        class->count = (uint16_t)(count - 1);
    return payloads[count - 1];
}

/* Whether the thread does nothing but free what those of another arena have allocated: they need
   these blocks sooner than it does. */
static bool hands_on(const struct thread_cache *cache, const struct cache_class *class)
{
    return cache_delays(cache) && class->count > 0 &&
           arena_of_payload(class->payloads[0]) != cache->arena;
}

/* A class that overflows by itself is heavy one day, where the way home may lead through locks. */
static void note_flush(struct thread_cache *cache, const struct cache_class *class)
{
    uint8_t *flushes = &cache->flushes[class - cache->classes];
    if (!ARENA_SINGLE_THREADED && *flushes < CACHE_HEAVY_FLUSHES)
        ++*flushes;
}

bool cache_make_room(struct thread_cache *cache, struct cache_class *class)
{
    cache->is_busy[class - cache->classes] = true;
    if (!cache->is_draining && cache_is_left_over(cache))
        cache_drain(cache);
    if (cache->is_draining)
        return false;
    if (class_grow(cache, class, hands_on(cache, class) ? CACHE_FILL_MAX : CACHE_HEAVY_MAX))
        return true;
    if (class->count == 0)
        return false;
    note_flush(cache, class);
    class_flush(cache, class, (class->count + CACHE_FLUSH_SHARE - 1u) / CACHE_FLUSH_SHARE);
    return true;
}
