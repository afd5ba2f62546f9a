/*
 * See verify.h. A pointer is looked for in the list of spans before anything that it points to is
 * believed, which takes its time in a heap of many spans and makes the message certain.
 */
#include "verify.h"
#include "check.h"
#include "empty.h"
#include "options.h"
#include "quarantine.h"
#include "verified.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool verify_is_on;

__attribute__((constructor)) static void verify_at_start(void)
{
    verify_is_on = options_current().verifies;
}

/* Blocks that are never freed, and those in quarantine, are looked at once. */
__attribute__((destructor)) static void verify_at_exit(void)
{
    char report[CHECK_REPORT_MAX];
    if (!verify_is_on)
        return;
    bool locked = arena_lock(arenas);
    unsigned faults = heap_check_blocks(&arenas->heap, report);
    arena_unlock(arenas, locked);
    if (faults == 0)
        return;
    check_tell(faults, report);
    abort();
}

/* What is at an address of the span where no block in use begins. Ends the program. */
static _Noreturn void place_is_wrong(struct span *span, void *p, enum misuse_caller caller)
{
    struct block *wanted = block_from_payload(p);
    struct block *block = span_first_block(span);
    while (block_size(block) >= BLOCK_MIN && block_after(block) <= wanted)
        block = block_after(block);
    bool is_wanted = block == wanted;
    if (block_magic_is_freed(block_magic(block)))
        heap_block_is_freed(p, caller);
    misuse_abort(caller, p, is_wanted ? "header was overwritten" : "points into a block");
}

static struct block *block_checked(struct heap *heap, void *p, enum misuse_caller caller)
{
    if ((uintptr_t)p % ALIGNMENT)
        misuse_abort(caller, p, "misaligned pointer, not from malloc");
    struct span *span = heap->spans.first;
    while (span && !span_holds(span, p))
        span = span->next;
    if (!span)
        misuse_abort(caller, p, "not a block of ours");
    struct block *block = block_from_payload(p);
    enum block_magic magic = block_magic(block);
    if ((magic != BLOCK_MAGIC_VERIFIED && magic != BLOCK_MAGIC_USED) || block_owner(block) != span)
        place_is_wrong(span, p, caller);
    heap_block_checked(p, magic, caller);
    const char *what = magic == BLOCK_MAGIC_VERIFIED ? verified_fault(block) : NULL;
    if (what)
        misuse_abort(caller, p, what);
    return block;
}

/* Of a live pointer: whether it has a block, and that is not from before the start. */
static bool is_verified(void *p)
{
    return !empty_holds(p) && block_magic(block_from_payload(p)) == BLOCK_MAGIC_VERIFIED;
}

/* What a live pointer was asked for; fatal if it is none. */
static struct verified asked_checked(struct heap *heap, void *p, enum misuse_caller caller)
{
    heap->spans.caller = caller;
    if (empty_holds(p)) {
        empty_check(p, caller);
        return (struct verified){0, 0};
    }
    struct block *block = block_checked(heap, p, caller);
    return is_verified(p) ? verified_asked(block) : (struct verified){block_payload_size(block), 0};
}

/* Frees what asked_checked has seen. */
static void release(struct heap *heap, void *p)
{
    if (empty_holds(p))
        empty_free(p);
    else if (is_verified(p))
        quarantine_put(heap, block_from_payload(p));
    else
        heap_free(heap, p);
}

/* Looking at a large block, and writing zeros to it, would bring pages that nobody touched. */
static bool is_large(struct verified asked)
{
    return asked.request > VERIFIED_LOOKED_AT;
}

static void *take(struct heap *heap, struct verified asked, bool zeroed)
{
    size_t bytes = asked.request + VERIFIED_SLACK;
    return zeroed && is_large(asked) ? heap_allocate_zeroed(heap, bytes)
                                     : heap_allocate_aligned(heap, asked.alignment, bytes);
}

/* Where the heap has no memory, it gets the blocks in quarantine first. */
static void *take_somehow(struct heap *heap, struct verified asked, bool zeroed)
{
    int kept = errno;
    void *p = take(heap, asked, zeroed);
    if (p || !quarantine_empty(heap))
        return p;
    errno = kept;
    return take(heap, asked, zeroed);
}

static void *take_block(struct heap *heap, struct verified asked, bool zeroed)
{
    enum misuse_caller caller = heap->spans.caller;
    void *p = take_somehow(heap, asked, zeroed);
    if (!p)
        return NULL;
    struct block *block = block_from_payload(p);
    if (!is_large(asked)) {
        const void *written = verified_scribble(p, block_payload_size(block));
        if (written)
            misuse_abort(caller, written, "free block was written to");
        if (zeroed)
            memset(p, 0, asked.request);
    }
    verified_seal(block, asked);
    return p;
}

static void *allocate(struct heap *heap, struct verified asked, bool zeroed)
{
    if (asked.request > BLOCK_REQUEST_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = asked.request == 0 && asked.alignment <= ALIGNMENT ? empty_allocate() : NULL;
    return p ? p : take_block(heap, asked, zeroed);
}

static void *allocate_locked(struct verified asked, bool zeroed)
{
    bool locked = arena_lock(arenas);
    arenas->heap.spans.caller = IN_MALLOC;
    void *p = allocate(&arenas->heap, asked, zeroed);
    arena_unlock(arenas, locked);
    return p;
}

void *verify_allocate(size_t request)
{
    return allocate_locked((struct verified){request, 0}, false);
}

void *verify_allocate_zeroed(size_t request)
{
    return allocate_locked((struct verified){request, 0}, true);
}

void *verify_allocate_aligned(size_t align, size_t request)
{
    return allocate_locked((struct verified){request, align}, false);
}

void verify_free(void *p)
{
    bool locked = arena_lock(arenas);
    asked_checked(&arenas->heap, p, IN_FREE);
    release(&arenas->heap, p);
    arena_unlock(arenas, locked);
}

/* Nothing is known of what a block from before the start was asked for, or of an alignment where
   there are no bytes. */
static void free_as_asked(void *p, struct verified told)
{
    bool locked = arena_lock(arenas);
    struct verified asked = asked_checked(&arenas->heap, p, IN_FREE);
    if ((is_verified(p) || empty_holds(p)) && told.request != asked.request)
        misuse_abort(IN_FREE, p, "told another size than was asked for");
    if (is_verified(p) && told.alignment != asked.alignment)
        misuse_abort(IN_FREE, p, "told another alignment than was asked for");
    release(&arenas->heap, p);
    arena_unlock(arenas, locked);
}

void verify_free_sized(void *p, size_t size)
{
    free_as_asked(p, (struct verified){size, 0});
}

void verify_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    free_as_asked(p, (struct verified){size, alignment});
}

/* Where there is no memory, a block that is to be smaller stays, with more of canary. */
static void *resize(struct heap *heap, void *p, struct verified wanted)
{
    int saved_errno = errno;
    size_t had = asked_checked(heap, p, IN_REALLOC).request;
    void *moved = allocate(heap, wanted, false);
    if (moved) {
        memcpy(moved, p, had < wanted.request ? had : wanted.request);
        heap->spans.caller = IN_REALLOC;
        release(heap, p);
        return moved;
    }
    if (wanted.request > had)
        return NULL;
    errno = saved_errno;
    if (is_verified(p))
        verified_seal(block_from_payload(p), wanted);
    return p;
}

void *verify_resize(void *p, size_t request)
{
    bool locked = arena_lock(arenas);
    void *resized = resize(&arenas->heap, p, (struct verified){request, 0});
    arena_unlock(arenas, locked);
    return resized;
}

size_t verify_usable_size(void *p)
{
    bool locked = arena_lock(arenas);
    size_t size = asked_checked(&arenas->heap, p, IN_USABLE_SIZE).request;
    arena_unlock(arenas, locked);
    return size;
}
