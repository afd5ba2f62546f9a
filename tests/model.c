/* See model.h. Every block is filled with words that belong to it and to their place in it. */
#include "model.h"
#include "allocator/libspan.h"
#include "heap_fixture.h"
#include "workloads/trace.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Arbitrary. Blocks up to FILL_WHOLE bytes are filled and verified whole; of larger ones both ends
 * and the first bytes of each further FILL_STEP, or a run would do little else.
 */
enum { FILL_WHOLE = 4096, FILL_STEP = 4096, FILL_PART = 64, ABSURD_IN = 128 };

struct model_block {
    unsigned char *p; /* NULL: not live */
    size_t bytes;     /* filled: the request, or all of the usable size */
    size_t extent;    /* usable size, which no other block may have a part of */
    uint64_t tag;
};

struct model {
    const struct model_target *target;
    const struct model_plan *plan;
    struct model_outcome *outcome;
    struct model_block *blocks;
    void *by_address; /* the live ones, in the order of addresses: a tree of tsearch */
    uint64_t random;
    size_t bytes_used;
};

/* xorshift64*, Vigna 2016. */
static uint64_t draw_random(struct model *model)
{
    uint64_t x = model->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    model->random = x;
    return x * UINT64_C(2685821657736338717) >> 11;
}

static bool bytes_are_left(const struct model *model)
{
    return !model->plan->bytes || model->bytes_used < model->plan->bytes_count;
}

/* As few bytes as can tell the numbers below limit apart; zeros after the last one. */
static uint64_t draw_bytes(struct model *model, uint64_t limit)
{
    uint64_t number = 0;
    for (uint64_t rest = limit - 1; rest; rest >>= 8)
        number =
            number << 8 | (bytes_are_left(model) ? model->plan->bytes[model->bytes_used++] : 0);
    return number;
}

static size_t draw_below(struct model *model, size_t limit)
{
    return (model->plan->bytes ? draw_bytes(model, limit) : draw_random(model)) % limit;
}

/* Log-uniform below 2^(doublings + 1). */
static size_t draw_scaled(struct model *model, size_t doublings)
{
    return draw_below(model, (size_t)2 << draw_below(model, doublings + 1));
}

/* Around a quarter of a doubling, where the bins have their edges. */
static size_t draw_edge(struct model *model, size_t doublings)
{
    size_t edge = (4 + draw_below(model, 4)) << draw_below(model, doublings);
    size_t request = edge + draw_below(model, 4 * ALIGNMENT);
    return request < 2 * ALIGNMENT ? request : request - 2 * ALIGNMENT;
}

static size_t draw_request(struct model *model)
{
    size_t largest = model->plan->request_max;
    size_t doublings = log2_floor(largest);
    size_t request;
    switch (draw_below(model, 8)) {
    case 0:
    case 1:
        request = draw_below(model, BLOCK_MIN + 1);
        break;
    case 2:
        request = draw_below(model, BIN_EXACT_END);
        break;
    case 3:
        request = (size_t)ALIGNMENT << draw_below(model, 8); /* the same few again and again */
        break;
    case 4:
    case 5:
        request = draw_edge(model, doublings);
        break;
    default:
        request = draw_scaled(model, doublings);
    }
    return request <= largest ? request : request % (largest + 1);
}

static bool failed(struct model *model, const char *what)
{
    snprintf(model->outcome->message, MODEL_MESSAGE_MAX, "%.300s", what);
    return false;
}

/* Notes a call just before it is made: it may be the last one. */
static struct model_op *log_call(struct model *model, struct model_op op)
{
    static struct model_op nowhere;
    struct model_outcome *outcome = model->outcome;
    errno = 0;
    if (outcome->logged == outcome->log_max)
        return &nowhere;
    outcome->log[outcome->logged] = op;
    return &outcome->log[outcome->logged++];
}

static uint32_t slot_of(const struct model *model, const struct model_block *block)
{
    return (uint32_t)(block - model->blocks);
}

static uint64_t fill_word(uint64_t tag, size_t offset)
{
    return (tag + offset / 8) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio: odd */
}

/* Fills, or verifies, [from, to) of a block's bytes; `from` is a multiple of 8. */
static void fill_part(const struct model_block *block, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += 8) {
        uint64_t word = fill_word(block->tag, at);
        memcpy(block->p + at, &word, to - at < 8 ? to - at : 8);
    }
}

static bool part_is_filled(const struct model_block *block, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += 8) {
        uint64_t word = fill_word(block->tag, at);
        if (memcmp(block->p + at, &word, to - at < 8 ? to - at : 8) != 0)
            return false;
    }
    return true;
}

/* The parts of a block that are filled, one after the other: false after the last. */
static bool next_part(size_t bytes, size_t *from, size_t *to)
{
    if (*to == bytes)
        return false;
    if (bytes <= FILL_WHOLE) {
        *from = 0;
        *to = bytes;
        return true;
    }
    size_t last = (bytes - FILL_PART) & ~(size_t)7;
    *from = *to == 0 ? 0 : *from + FILL_STEP;
    *from = *from < last ? *from : last;
    *to = *from == last ? bytes : *from + FILL_PART;
    return true;
}

static void block_fill(const struct model_block *block)
{
    for (size_t from = 0, to = 0; next_part(block->bytes, &from, &to);)
        fill_part(block, from, to);
}

/* Whether the block has its fill as far as `kept`, or the end of a part. */
static bool block_is_filled(const struct model_block *block, size_t kept)
{
    for (size_t from = 0, to = 0; next_part(block->bytes, &from, &to) && from < kept;)
        if (!part_is_filled(block, from, to < kept ? to : kept))
            return false;
    return true;
}

static bool is_zero(const unsigned char *p, size_t bytes)
{
    return bytes == 0 || (p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0);
}

/* Blocks that overlap are equal, so the tree finds a live one that overlaps a new one. */
static int compare_places(const void *left, const void *right)
{
    const struct model_block *a = left;
    const struct model_block *b = right;
    if (a->p + a->extent <= b->p)
        return -1;
    return b->p + b->extent <= a->p;
}

/* A new block is in hand: verify it and make it ours. */
static bool adopt(struct model *model, struct model_block *block, void *p, size_t bytes,
                  size_t align)
{
    if (errno != 0)
        return failed(model, "a call that succeeded changed errno");
    block->p = p;
    block->extent = model->target->usable_size(p);
    block->bytes = draw_below(model, 4) ? bytes : block->extent;
    block->tag = (uint64_t)model->outcome->op << 32;
    if ((uintptr_t)p % (align < ALIGNMENT ? ALIGNMENT : align))
        return failed(model, "misaligned");
    if (block->extent < bytes)
        return failed(model, "usable size is less than the request");
    struct model_block **found = tsearch(block, &model->by_address, compare_places);
    if (!found)
        return failed(model, "no memory for the model");
    if (*found != block)
        return failed(model, "overlaps a live block");
    block_fill(block);
    return true;
}

static bool all_are_filled(struct model *model)
{
    for (unsigned i = 0; i < model->plan->slots; i++) {
        const struct model_block *block = &model->blocks[i];
        if (block->p && !block_is_filled(block, block->bytes))
            return failed(model, "contents of a live block changed");
    }
    return true;
}

/* The call returned NULL; its request was sane. */
static bool refused(struct model *model, struct model_op *op)
{
    op->failed = true;
    model->outcome->refused++;
    if (errno != ENOMEM)
        return failed(model, "NULL without ENOMEM");
    if (!model->plan->out_of_memory)
        return failed(model, "no memory");
    return all_are_filled(model);
}

static bool op_allocate(struct model *model, struct model_block *block)
{
    size_t request = draw_request(model);
    struct model_op *op = log_call(
        model,
        (struct model_op){.kind = TRACE_MALLOC, .slot = slot_of(model, block), .size = request});
    void *p = model->target->allocate(request);
    return p ? adopt(model, block, p, request, ALIGNMENT) : refused(model, op);
}

static bool op_allocate_zeroed(struct model *model, struct model_block *block)
{
    size_t count = draw_below(model, 8);
    size_t size = count ? draw_request(model) / count : 0;
    struct model_op *op = log_call(model, (struct model_op){.kind = TRACE_CALLOC,
                                                            .slot = slot_of(model, block),
                                                            .count = (uint8_t)count,
                                                            .size = size});
    unsigned char *p = model->target->allocate_zeroed(count, size);
    if (!p)
        return refused(model, op);
    return is_zero(p, count * size) ? adopt(model, block, p, count * size, ALIGNMENT)
                                    : failed(model, "calloc gave bytes that are not zero");
}

static bool op_allocate_aligned(struct model *model, struct model_block *block)
{
    size_t request = draw_request(model);
    unsigned align_log2 = (unsigned)draw_below(model, model->plan->align_max_log2 + 1);
    struct model_op *op = log_call(model, (struct model_op){.kind = TRACE_ALIGNED_ALLOC,
                                                            .slot = slot_of(model, block),
                                                            .align_log2 = (uint8_t)align_log2,
                                                            .size = request});
    void *p = model->target->allocate_aligned((size_t)1 << align_log2, request);
    return p ? adopt(model, block, p, request, (size_t)1 << align_log2) : refused(model, op);
}

static bool resize_to(struct model *model, struct model_block *block, size_t request)
{
    struct model_op *op = log_call(
        model,
        (struct model_op){.kind = TRACE_REALLOC, .slot = slot_of(model, block), .size = request});
    unsigned char *p = model->target->resize(block->p, request);
    if (!p)
        return refused(model, op);
    tdelete(block, &model->by_address, compare_places);
    block->p = p;
    if (!block_is_filled(block, block->bytes < request ? block->bytes : request))
        return failed(model, "realloc lost contents");
    return adopt(model, block, p, request, ALIGNMENT);
}

static bool op_resize(struct model *model, struct model_block *block)
{
    size_t request = draw_request(model);
    return resize_to(model, block, request ? request : 1);
}

/* A buffer that grows, by little or by half. */
static bool op_append(struct model *model, struct model_block *block)
{
    size_t step = 1 + draw_below(model, 2 * BLOCK_MIN);
    size_t request = block->bytes + (step % 2 ? step : block->bytes / 2);
    bool fits = request > 0 && request <= model->plan->request_max;
    return resize_to(model, block, fits ? request : 1);
}

static bool op_release(struct model *model, struct model_block *block)
{
    if (!block_is_filled(block, block->bytes))
        return failed(model, "contents of a live block changed");
    log_call(model, (struct model_op){.kind = TRACE_FREE, .slot = slot_of(model, block)});
    tdelete(block, &model->by_address, compare_places);
    errno = EDOM; /* any but what malloc sets */
    model->target->release(block->p);
    if (errno != EDOM)
        return failed(model, "free changed errno");
    block->p = NULL;
    return true;
}

/* Requests that nobody can serve; not logged, since a trace has no use for them. */
static bool op_absurd(struct model *model, const struct model_block *block)
{
    const struct model_target *target = model->target;
    size_t request = SIZE_MAX - draw_below(model, 4 * ALIGNMENT);
    errno = 0;
    if (target->allocate(request) || target->allocate(request / 2) ||
        target->allocate_zeroed(request / 4, 16) || target->allocate_aligned(4096, request) ||
        target->allocate_aligned((size_t)1 << 63, ALIGNMENT) ||
        (block->p && target->resize(block->p, request)))
        return failed(model, "served what nobody can");
    return errno == ENOMEM || failed(model, "NULL without ENOMEM");
}

static bool op_on_live(struct model *model, struct model_block *block, bool drains)
{
    size_t choice = draw_below(model, 16);
    if (drains || choice >= 6)
        return op_release(model, block);
    return choice < 4 ? op_resize(model, block) : op_append(model, block);
}

static bool op_on_empty(struct model *model, struct model_block *block)
{
    size_t choice = draw_below(model, 16);
    if (choice < 2)
        return op_allocate_aligned(model, block);
    return choice < 5 ? op_allocate_zeroed(model, block) : op_allocate(model, block);
}

/* Now and then most blocks are freed, so that the heap is seen small and its spans empty. */
static bool op_any(struct model *model)
{
    struct model_block *block = &model->blocks[draw_below(model, model->plan->slots)];
    bool drains = model->outcome->op / model->plan->slots % 16 >= 14;
    if (draw_below(model, ABSURD_IN) == 0)
        return op_absurd(model, block);
    if (block->p)
        return op_on_live(model, block, drains);
    return drains || op_on_empty(model, block);
}

static bool is_sound(struct model *model)
{
    char report[CHECK_REPORT_MAX];
    return model->target->check(report) == 0 || failed(model, report);
}

static bool run_ops(struct model *model)
{
    unsigned *op = &model->outcome->op;
    for (*op = 0; *op < model->plan->ops && bytes_are_left(model); (*op)++) {
        if (!op_any(model))
            return false;
        if (*op % model->plan->check_every == 0 && !is_sound(model))
            return false;
    }
    for (unsigned i = 0; i < model->plan->slots; i++)
        if (model->blocks[i].p && !op_release(model, &model->blocks[i]))
            return false;
    return is_sound(model);
}

static void leave_alone(void *block)
{
    (void)block; /* it lies in the table */
}

bool model_run(const struct model_target *target, const struct model_plan *plan,
               struct model_outcome *outcome)
{
    struct model model = {
        .target = target,
        .plan = plan,
        .outcome = outcome,
        .blocks = calloc(plan->slots, sizeof(struct model_block)),
        .random = plan->seed * 2 + 1,
    };
    outcome->message[0] = '\0';
    outcome->refused = 0;
    outcome->logged = 0;
    bool passed = model.blocks ? run_ops(&model) : failed(&model, "no memory for the model");
    tdestroy(model.by_address, leave_alone);
    free(model.blocks);
    return passed;
}

static void *private_allocate(size_t request)
{
    return heap_allocate(&heap, request);
}

static void *private_allocate_zeroed(size_t count, size_t size)
{
    size_t bytes;
    return heap_allocate_zeroed(&heap,
                                __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

static void *private_allocate_aligned(size_t align, size_t request)
{
    return heap_allocate_aligned(&heap, align, request);
}

static void *private_resize(void *p, size_t request)
{
    return heap_resize(&heap, p, request);
}

static void private_release(void *p)
{
    heap_free(&heap, p);
}

static size_t private_usable_size(void *p)
{
    return heap_usable_size(p);
}

static unsigned private_check(char report[CHECK_REPORT_MAX])
{
    return heap_check(&heap, report);
}

const struct model_target model_private_heap = {
    .name = "heap",
    .allocate = private_allocate,
    .allocate_zeroed = private_allocate_zeroed,
    .allocate_aligned = private_allocate_aligned,
    .resize = private_resize,
    .release = private_release,
    .usable_size = private_usable_size,
    .check = private_check,
};

static unsigned public_check(char report[CHECK_REPORT_MAX])
{
    snprintf(report, CHECK_REPORT_MAX, "span_check finds a fault"); /* and says which one */
    return span_check();
}

const struct model_target model_public_functions = {
    .name = "public",
    .allocate = span_malloc,
    .allocate_zeroed = span_calloc,
    .allocate_aligned = span_aligned_alloc,
    .resize = span_realloc,
    .release = span_free,
    .usable_size = span_malloc_usable_size,
    .check = public_check,
};
