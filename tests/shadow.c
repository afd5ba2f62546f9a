/* See shadow.h. Each block is filled with bytes drawn from its own tag, so overlaps show. */
#include "shadow.h"
#include "allocator/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shadow_block {
    unsigned char *p;
    size_t bytes;
    unsigned char fill;
};

struct shadow {
    struct heap *heap;
    const struct shadow_plan *plan;
    struct shadow_block *blocks;
    char *message;
    uint64_t random;
    unsigned op;
};

/* xorshift64*, Vigna 2016. */
static uint64_t draw(struct shadow *shadow)
{
    uint64_t x = shadow->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    shadow->random = x;
    return x * UINT64_C(2685821657736338717);
}

static size_t draw_below(struct shadow *shadow, size_t limit)
{
    return (size_t)(draw(shadow) >> 11) % limit;
}

/* Log-uniform from 0 to the plan's largest request. */
static size_t draw_request(struct shadow *shadow)
{
    size_t largest = shadow->plan->request_max;
    size_t doublings = 64 - (size_t)__builtin_clzl(largest);
    size_t limit = (size_t)2 << draw_below(shadow, doublings);
    return draw_below(shadow, limit < largest ? limit : largest + 1);
}

static bool failed(struct shadow *shadow, const char *what)
{
    snprintf(shadow->message, SHADOW_MESSAGE_MAX, "seed %llu, operation %u: %s",
             (unsigned long long)shadow->plan->seed, shadow->op, what);
    return false;
}

static bool is_filled(const unsigned char *p, size_t bytes, unsigned char fill)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != fill)
            return false;
    return true;
}

/* A new block is in hand: verify it and make it ours. */
static bool adopt(struct shadow *shadow, struct shadow_block *block, void *p, size_t bytes,
                  size_t align)
{
    if (!p)
        return shadow->plan->out_of_memory || failed(shadow, "no memory");
    if ((uintptr_t)p % align)
        return failed(shadow, "misaligned");
    if (heap_usable_size(p, "test") < bytes)
        return failed(shadow, "usable size is less than the request");
    block->p = p;
    block->bytes = bytes;
    block->fill = (unsigned char)draw(shadow);
    memset(p, block->fill, bytes);
    return true;
}

static bool op_allocate(struct shadow *shadow, struct shadow_block *block)
{
    size_t request = draw_request(shadow);
    return adopt(shadow, block, heap_allocate(shadow->heap, request), request, ALIGNMENT);
}

static bool op_allocate_zeroed(struct shadow *shadow, struct shadow_block *block)
{
    size_t request = draw_request(shadow);
    unsigned char *p = heap_allocate_zeroed(shadow->heap, request);
    if (p && !is_filled(p, request, 0))
        return failed(shadow, "calloc gave bytes that are not zero");
    return adopt(shadow, block, p, request, ALIGNMENT);
}

static bool op_allocate_aligned(struct shadow *shadow, struct shadow_block *block)
{
    size_t request = draw_request(shadow);
    size_t align = (size_t)1 << draw_below(shadow, 15);
    void *p = heap_allocate_aligned(shadow->heap, align, request);
    return adopt(shadow, block, p, request, align < ALIGNMENT ? ALIGNMENT : align);
}

static bool op_resize(struct shadow *shadow, struct shadow_block *block)
{
    size_t request = draw_request(shadow);
    size_t kept = request < block->bytes ? request : block->bytes;
    unsigned char *p = heap_resize(shadow->heap, block->p, request, "test");
    if (!p && !is_filled(block->p, block->bytes, block->fill))
        return failed(shadow, "a realloc that failed changed the block");
    if (!p)
        return shadow->plan->out_of_memory || failed(shadow, "no memory");
    if (!is_filled(p, kept, block->fill))
        return failed(shadow, "realloc lost contents");
    return adopt(shadow, block, p, request, ALIGNMENT);
}

static bool op_free(struct shadow *shadow, struct shadow_block *block)
{
    if (!is_filled(block->p, block->bytes, block->fill))
        return failed(shadow, "contents of a live block changed");
    heap_free(shadow->heap, block->p, "test");
    block->p = NULL;
    return true;
}

static bool op_any(struct shadow *shadow)
{
    struct shadow_block *block = &shadow->blocks[draw_below(shadow, shadow->plan->slots)];
    size_t choice = draw_below(shadow, 8);
    if (block->p)
        return choice < 3 ? op_resize(shadow, block) : op_free(shadow, block);
    if (choice == 0)
        return op_allocate_aligned(shadow, block);
    return choice < 3 ? op_allocate_zeroed(shadow, block) : op_allocate(shadow, block);
}

static bool is_sound(struct shadow *shadow)
{
    char report[CHECK_REPORT_MAX];
    return heap_check(shadow->heap, report) == 0 || failed(shadow, report);
}

static bool run_ops(struct shadow *shadow)
{
    unsigned every = shadow->plan->check_every;
    for (shadow->op = 0; shadow->op < shadow->plan->ops; shadow->op++) {
        if (!op_any(shadow))
            return false;
        if (every && shadow->op % every == 0 && !is_sound(shadow))
            return false;
    }
    for (unsigned i = 0; i < shadow->plan->slots; i++)
        if (shadow->blocks[i].p && !op_free(shadow, &shadow->blocks[i]))
            return false;
    return is_sound(shadow);
}

bool shadow_run(struct heap *heap, const struct shadow_plan *plan, char message[SHADOW_MESSAGE_MAX])
{
    struct shadow shadow = {
        .heap = heap,
        .plan = plan,
        .blocks = calloc(plan->slots, sizeof(struct shadow_block)),
        .message = message,
        .random = plan->seed * 2 + 1,
    };
    bool passed = shadow.blocks ? run_ops(&shadow) : failed(&shadow, "no memory for the model");
    free(shadow.blocks);
    return passed;
}
