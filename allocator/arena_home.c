/* Which thread uses which arena, and how the blocks of thread caches come from there and go home.
 */
#include "arena.h"
#include "deferred.h"
#include "kernel.h"

enum {
    ARENA_PROCESSORS = 8192, /* of which the kernel can tell; more than it can have */
    ARENAS_A_PROCESSOR = 2,
    ARENA_AHEAD = 8,  /* blocks that are fetched ahead; arbitrary */
    ARENA_BATCH = 64, /* that are freed at a time; arbitrary */
};

/* Those of the calling thread; 0 if the kernel does not tell. */
static unsigned processors(void)
{
    unsigned long set[ARENA_PROCESSORS / 8 / sizeof(unsigned long)];
    long bytes = kernel_call(SYS_sched_getaffinity, 0, sizeof set, (long)set, 0, 0, 0);
    unsigned count = 0;
    for (long i = 0; !kernel_failed(bytes) && i < bytes / (long)sizeof *set; i++)
        count += (unsigned)__builtin_popcountl(set[i]);
    return count;
}

/* Asked when the first thread joins, which has not bound itself to some of them yet. */
unsigned arenas_in_use(void)
{
    static _Atomic unsigned known;
    unsigned count = atomic_load_explicit(&known, memory_order_relaxed);
    if (count == 0) {
        count = ARENAS_A_PROCESSOR * processors();
        if (count == 0 || count > BUILD_ARENAS)
            count = BUILD_ARENAS;
        atomic_store_explicit(&known, count, memory_order_relaxed);
    }
    return count;
}

/* The first of so many arenas with the fewest threads: a program of few threads uses few heaps. */
static struct arena *least_joined(unsigned count)
{
    struct arena *best = &arenas[0];
    for (unsigned i = 1; i < count; i++)
        if (arenas[i].threads < best->threads)
            best = &arenas[i];
    return best;
}

/* Counts a thread more; the heap may cache as much as if each had one of its own. */
static void arena_enter(struct arena *arena)
{
    size_t threads = 1 + atomic_fetch_add_explicit(&arena->threads, 1, memory_order_relaxed);
    bool locked = arena_lock(arena);
    span_cache_allow(&arena->heap.spans, threads * SPAN_CACHE_FIRST);
    arena_unlock(arena, locked);
}

struct arena *arena_join(void)
{
    struct arena *best = least_joined(arenas_in_use());
    arena_enter(best);
    return best;
}

struct arena *arena_move(struct arena *own)
{
    struct arena *best = least_joined(BUILD_ARENAS);
    if (best->threads + 1 >= own->threads)
        return own;
    arena_enter(best);
    arena_leave(own);
    return best;
}

size_t arena_allocate_run(struct arena *arena, size_t gross, void **payloads, size_t count)
{
    bool locked = arena_lock(arena);
    size_t taken = heap_allocate_run(&arena->heap, gross, payloads, count);
    arena_unlock(arena, locked);
    return taken;
}

unsigned arena_threads(void)
{
    unsigned threads = 0;
    for (int i = 0; i < BUILD_ARENAS; i++)
        threads += atomic_load_explicit(&arenas[i].threads, memory_order_relaxed);
    return threads;
}

struct block *arena_take_sent(struct arena *arena)
{
    if (!atomic_load_explicit(&arena->sent_home, memory_order_relaxed))
        return NULL;
    atomic_store_explicit(&arena->sent_bytes, 0, memory_order_relaxed);
    return atomic_exchange_explicit(&arena->sent_home, NULL, memory_order_acquire);
}

void arena_settle(struct arena *arena)
{
    void *payloads[ARENA_BATCH];
    bool locked = arena_lock(arena);
    for (struct block *block = arena_take_sent(arena); block;) {
        size_t count = 0;
        for (; block && count < ARENA_BATCH; block = block->next) {
            __builtin_prefetch(block->prev, 1);
            payloads[count++] = block_payload(block);
        }
        deferred_free_run(&arena->heap, payloads, count);
    }
    arena_unlock(arena, locked);
}

void arena_leave(struct arena *arena)
{
    if (atomic_fetch_sub_explicit(&arena->threads, 1, memory_order_relaxed) == 1)
        arena_settle(arena);
}

/* A list of blocks, linked by next; prev is a block further on, to be fetched ahead, or NULL. */
struct sending {
    struct block *first;
    struct block *last;
    struct block *lately[ARENA_AHEAD]; /* those added last, by number */
    size_t count;
    size_t bytes;
};

static void sending_add(struct sending *sending, struct block *block)
{
    struct block **place = &sending->lately[sending->count++ % ARENA_AHEAD];
    block->next = sending->first;
    block->prev = *place;
    *place = block;
    sending->first = block;
    if (!sending->last)
        sending->last = block;
    sending->bytes += block_size(block);
}

static void send_home(struct arena *arena, const struct sending *sending)
{
    struct block *sent = atomic_load_explicit(&arena->sent_home, memory_order_relaxed);
    do
        sending->last->next = sent;
    while (!atomic_compare_exchange_weak_explicit(&arena->sent_home, &sent, sending->first,
                                                  memory_order_release, memory_order_relaxed));
    size_t bytes = sending->bytes + atomic_fetch_add_explicit(&arena->sent_bytes, sending->bytes,
                                                              memory_order_relaxed);
    if (bytes > ARENA_SENT_MAX || arena->threads == 0)
        arena_settle(arena);
}

/* The arena of a block of a thread's cache; fatal if its header is no longer one of those. */
static struct arena *home_of(void *p)
{
    deferred_check(p);
    return arena_of_payload(p);
}

/* Sends home those blocks that belong where the first one does; the payloads of the others move to
   the front of the array. Their number. */
static size_t send_some_home(void **payloads, size_t count)
{
    struct arena *home = home_of(payloads[0]);
    struct sending sending = {.count = 0};
    size_t others = 0;
    for (size_t i = 0; i < count; i++) {
        if (home_of(payloads[i]) == home)
            sending_add(&sending, block_from_payload(payloads[i]));
        else
            payloads[others++] = payloads[i];
    }
    send_home(home, &sending);
    return others;
}

static size_t free_own(struct arena *own, void **payloads, size_t count)
{
    bool locked = arena_lock(own);
    size_t others = deferred_free_run(&own->heap, payloads, count);
    arena_unlock(own, locked);
    return others;
}

/* What finds the lock taken is sent home even so, which does not wait. */
void arena_free_run(struct arena *own, void **payloads, size_t count)
{
    while (count) {
        bool is_own = home_of(payloads[0]) == own && !arena_is_busy(own);
        count = is_own ? free_own(own, payloads, count) : send_some_home(payloads, count);
    }
}
