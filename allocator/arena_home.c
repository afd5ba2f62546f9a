/* Which thread uses which arena, and how the blocks of thread caches come from there and go home.
 */
#include "arena.h"
#include "deferred.h"

/* The first of those with the fewest threads: a program of few threads uses few heaps. */
struct arena *arena_join(void)
{
    struct arena *best = &arenas[0];
    for (int i = 1; i < BUILD_ARENAS; i++)
        if (arenas[i].threads < best->threads)
            best = &arenas[i];
    atomic_fetch_add_explicit(&best->threads, 1, memory_order_relaxed);
    return best;
}

void arena_leave(struct arena *arena)
{
    atomic_fetch_sub_explicit(&arena->threads, 1, memory_order_relaxed);
}

size_t arena_allocate_run(struct arena *arena, size_t gross, void **payloads, size_t count)
{
    bool locked = arena_lock(arena);
    size_t taken = heap_allocate_run(&arena->heap, gross, payloads, count);
    arena_unlock(arena, locked);
    return taken;
}

void arenas_free_run(void **payloads, size_t count)
{
    while (count) {
        struct block *block = block_from_payload(payloads[0]);
        struct arena *arena = arena_of_heap(block_owner(block)->heap);
        bool locked = arena_lock(arena);
        count = deferred_free_run(&arena->heap, payloads, count);
        arena_unlock(arena, locked);
    }
}
