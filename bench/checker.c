/*
 * A block's pattern is made from its slot and from how often a block was made there, so that no two
 * blocks that live at once hold the same bytes. A look at a block in between takes its lock, since
 * another thread may be about to free it.
 */
#include "checker.h"

#include "own_memory.h"

#include "workloads/plural.h"
#include "workloads/prng.h"

#include <endian.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOOK_EVERY = 16,    /* steps; arbitrary: a sixteenth more work */
    LOOK_BYTES = 4096,  /* most of a block that is looked at in between */
    ALIGNMENT = 16,     /* of malloc, where a block can hold what needs that */
    ERRNO_KEPT = ERANGE /* arbitrary: none that an allocator sets */
};

/* One block while its lock is held. */
struct subject {
    struct checker *checker;
    struct slot *slot;
    struct checked_block *block;
    uint32_t number; /* of the slot */
};

bool checker_open(struct checker *checker, size_t slots)
{
    *checker = (struct checker){.page_bytes = (size_t)sysconf(_SC_PAGESIZE)};
    return checker_make_room(checker, slots);
}

bool checker_make_room(struct checker *checker, size_t slots)
{
    checker->slots = slots;
    return own_memory_reserve((void **)&checker->block, &checker->capacity,
                              sizeof(struct checked_block), slots);
}

static void block_lock(struct checked_block *block)
{
    while (atomic_exchange_explicit(&block->lock, 1, memory_order_acquire))
        sched_yield();
}

static bool block_try_lock(struct checked_block *block)
{
    return !atomic_exchange_explicit(&block->lock, 1, memory_order_acquire);
}

static void block_unlock(struct checked_block *block)
{
    atomic_store_explicit(&block->lock, 0, memory_order_release);
}

/* Keeps the first fault; always false. */
__attribute__((format(printf, 2, 3))) static bool fault(const struct subject *subject,
                                                        const char *format, ...)
{
    struct checker *checker = subject->checker;
    if (atomic_exchange(&checker->has_fault, true))
        return false;
    va_list arguments;
    int n = snprintf(checker->fault, sizeof(checker->fault),
                     "slot %u, a block of %zu byte%s: ", (unsigned)subject->number,
                     subject->slot->size, plural(subject->slot->size));
    va_start(arguments, format);
    vsnprintf(checker->fault + n, sizeof(checker->fault) - (size_t)n, format, arguments);
    va_end(arguments);
    return false;
}

/* The pattern's byte at offset i is byte i % 8 of word i / 8. */
static uint64_t pattern_word(const struct subject *subject, size_t i)
{
    uint64_t seed = (uint64_t)subject->number << 32 | subject->block->made;
    return prng_mix(seed + i / 8 * 0x9e3779b97f4a7c15);
}

static unsigned char pattern_byte(const struct subject *subject, size_t i)
{
    return (unsigned char)(pattern_word(subject, i) >> i % 8 * 8);
}

/* From offset 0 on. */
static void pattern_write(const struct subject *subject, size_t bytes)
{
    unsigned char *p = subject->slot->p;
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t word = htole64(pattern_word(subject, i));
        memcpy(p + i, &word, sizeof(word));
    }
    for (; i < bytes; i++)
        p[i] = pattern_byte(subject, i);
}

static bool byte_is_kept(const struct subject *subject, size_t i)
{
    const unsigned char *p = subject->slot->p;
    unsigned char wrote = pattern_byte(subject, i);
    if (p[i] == wrote)
        return true;
    return fault(subject, "byte %zu is %#04x, where the program wrote %#04x", i, p[i], wrote);
}

/* Whether bytes [from, to) are still what was written. */
static bool pattern_is_kept(const struct subject *subject, size_t from, size_t to)
{
    const unsigned char *p = subject->slot->p;
    size_t i = from;
    for (; i < to && i % 8 != 0; i++)
        if (!byte_is_kept(subject, i))
            return false;
    for (; i + 8 <= to; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, sizeof(word));
        if (word != htole64(pattern_word(subject, i)))
            break;
    }
    for (; i < to; i++)
        if (!byte_is_kept(subject, i))
            return false;
    return true;
}

/* The alignment that the call promises. A block too small for an object that needs 16 may have less
   (C23 7.24.3): then that of the largest object that fits. */
static size_t alignment_of(const struct checker *checker, const struct step *step, size_t bytes)
{
    size_t alignment = 1;
    if (step->kind == TRACE_VALLOC || step->kind == TRACE_PVALLOC)
        return checker->page_bytes;
    while (alignment < ALIGNMENT && alignment * 2 <= bytes)
        alignment *= 2;
    bool has_its_own = step->kind >= TRACE_ALIGNED_ALLOC && step->kind <= TRACE_POSIX_MEMALIGN;
    return has_its_own && step->operand > alignment ? step->operand : alignment;
}

static bool is_aligned(const struct subject *subject, const struct step *step)
{
    size_t alignment = alignment_of(subject->checker, step, subject->slot->size);
    if ((uintptr_t)subject->slot->p % alignment == 0)
        return true;
    return fault(subject, "%s returned %p, which is not aligned to %zu",
                 trace_kind_name(step->kind), subject->slot->p, alignment);
}

static bool is_zero(const struct subject *subject)
{
    const unsigned char *p = subject->slot->p;
    for (size_t i = 0; i < subject->slot->size; i++)
        if (p[i] != 0)
            return fault(subject, "calloc left byte %zu at %#04x", i, p[i]);
    return true;
}

/* Takes a new or resized block over: all of it is filled. */
static bool block_fill(struct subject *subject)
{
    struct slot *slot = subject->slot;
    subject->block->made++;
    subject->block->usable = slot->p ? malloc_usable_size(slot->p) : 0;
    if (subject->block->usable < slot->size)
        return fault(subject, "malloc_usable_size says %zu", subject->block->usable);
    pattern_write(subject, subject->block->usable);
    return true;
}

/* Whether everything in the block is as it was left. */
static bool block_is_whole(const struct subject *subject)
{
    if (subject->slot->p == NULL)
        return true;
    size_t usable = malloc_usable_size(subject->slot->p);
    if (usable != subject->block->usable)
        return fault(subject, "malloc_usable_size says %zu, and said %zu before", usable,
                     subject->block->usable);
    return pattern_is_kept(subject, 0, usable);
}

static bool block_make(struct subject *subject, const struct step *step)
{
    struct slot *slot = subject->slot;
    size_t bytes = step_bytes(step);
    void *p = step->kind == TRACE_MALLOC    ? malloc(bytes)
              : step->kind == TRACE_REALLOC ? realloc(NULL, bytes)
                                            : step_make_rare(step->kind, step->size, step->operand);
    if (p == NULL && bytes > 0)
        return false;
    *slot = (struct slot){p, bytes};
    if (p != NULL && !is_aligned(subject, step))
        return false;
    if (step->kind == TRACE_CALLOC && !is_zero(subject))
        return false;
    return block_fill(subject);
}

static bool block_free(struct subject *subject)
{
    if (!block_is_whole(subject))
        return false;
    errno = ERRNO_KEPT;
    free(subject->slot->p);
    if (errno != ERRNO_KEPT)
        return fault(subject, "free set errno to %d", errno);
    *subject->slot = (struct slot){NULL, 0};
    return true;
}

/* What both sizes have must still be there; then the block is filled anew. */
static bool block_resize(struct subject *subject, const struct step *step)
{
    struct slot *slot = subject->slot;
    size_t kept = slot->size < step->size ? slot->size : step->size;
    if (!block_is_whole(subject))
        return false;
    void *p = realloc(slot->p, step->size);
    if (p == NULL && step->size > 0)
        return false;
    slot->p = p;
    if (!pattern_is_kept(subject, 0, p ? kept : 0))
        return false;
    slot->size = step->size;
    return is_aligned(subject, step) && block_fill(subject);
}

static struct subject subject_of(struct checker *checker, struct slot *table, uint32_t slot)
{
    return (struct subject){checker, &table[slot], &checker->block[slot], slot};
}

/* A look at some block, unless somebody is at it. */
static bool look(struct checker *checker, struct slot *table, uint64_t random)
{
    uint32_t slot = (uint32_t)((random >> 32) * checker->slots >> 32);
    struct subject subject = subject_of(checker, table, slot);
    if (!block_try_lock(subject.block))
        return true;
    bool is_whole = true;
    if (subject.slot->p != NULL && subject.block->usable > 0) {
        size_t usable = subject.block->usable;
        size_t from = usable > LOOK_BYTES ? (uint32_t)random % (usable - LOOK_BYTES) : 0;
        size_t to = usable > LOOK_BYTES ? from + LOOK_BYTES : usable;
        is_whole = pattern_is_kept(&subject, from, to);
    }
    block_unlock(subject.block);
    return is_whole;
}

static bool step_do(struct subject *subject, const struct step *step)
{
    if (step->kind == TRACE_FREE)
        return block_free(subject);
    if (step->kind == TRACE_REALLOC && subject->slot->p != NULL)
        return block_resize(subject, step);
    return block_make(subject, step);
}

bool checker_call(struct checker *checker, struct slot *table, const uint64_t **at,
                  uint64_t *random)
{
    const uint64_t *next = *at;
    struct step step = step_take(&next);
    struct subject subject = subject_of(checker, table, step.slot);
    block_lock(subject.block);
    bool done = step_do(&subject, &step);
    block_unlock(subject.block);
    struct prng prng = {*random};
    uint64_t number = prng_next(&prng);
    *random = prng.state;
    if (!done || (number % LOOK_EVERY == 0 && !look(checker, table, prng_mix(number))))
        return false;
    *at = next;
    return true;
}

bool checker_drain(struct checker *checker, struct slot *table)
{
    for (uint32_t i = 0; i < checker->slots; i++) {
        struct subject subject = subject_of(checker, table, i);
        if (subject.slot->p != NULL && !block_free(&subject))
            return false;
    }
    return true;
}
