/*
 * The replay loop. One inline function, specialised by its constant arguments: a decision that is
 * the same for all steps is taken once, not once a step.
 */
#include "replayer.h"

#include "own_memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Bytes; what counts as a page, on all machines, so that the same trace is the same work. It is the
   smallest there is: larger ones are written to several times. */
enum { TOUCH_STEP = 4096 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Writes to bytes [from, to) of the block at p as the policy says. */
ALWAYS_INLINE void touch_bytes(char *p, size_t from, size_t to, enum touch touch)
{
    if (touch == TOUCH_NONE || from >= to)
        return;
    if (touch == TOUCH_ALL) {
        memset(p + from, 1, to - from);
        return;
    }
    if (from == 0)
        *(volatile char *)p = 1;
    if (touch == TOUCH_FIRST)
        return;
    char *page =
        (char *)(((uintptr_t)p + from + TOUCH_STEP - (from > 0)) & ~(uintptr_t)(TOUCH_STEP - 1));
    for (; page < p + to; page += TOUCH_STEP)
        *(volatile char *)page = 1;
}

/*
 * The call of a step that makes a block in another way than malloc and realloc do. Takes values,
 * so that the loop keeps its step in registers.
 */
static __attribute__((noinline)) void *make_block(enum step_kind kind, size_t size, size_t operand)
{
    void *p = NULL;
    switch (kind) {
    case STEP_CALLOC:
        return calloc(operand, size);
    case STEP_ALIGNED_ALLOC:
        return aligned_alloc(operand, size);
    case STEP_MEMALIGN:
        return memalign(operand, size);
    case STEP_POSIX_MEMALIGN:
        return posix_memalign(&p, operand, size) == 0 ? p : NULL;
    case STEP_VALLOC:
        return valloc(size);
    case STEP_PVALLOC:
        return pvalloc(size);
    default:
        return NULL;
    }
}

ALWAYS_INLINE const uint64_t *run(struct replayer *replayer, const uint64_t *at,
                                  const uint64_t *end, enum touch touch, bool counts_live)
{
    struct slot *table = replayer->table;
    while (at != end) {
        struct slot *slot = &table[step_slot(*at)];
        if (step_kind(*at) == STEP_FREE) {
            free(slot->p);
            if (counts_live)
                replayer->live -= slot->size;
            *slot = (struct slot){NULL, 0};
            at++;
            continue;
        }
        const uint64_t *start = at;
        struct step step = step_take(&at);
        size_t bytes = step_bytes(&step);
        char *p;
        if (step.kind == STEP_MALLOC)
            p = malloc(bytes);
        else if (step.kind == STEP_REALLOC)
            p = realloc(slot->p, bytes);
        else
            p = make_block(step.kind, step.size, step.operand);
        /* NULL for no bytes is as good an answer as any. */
        if (__builtin_expect(p == NULL && bytes > 0, 0))
            return start;
        touch_bytes(p, step.kind == STEP_REALLOC ? slot->size : 0, bytes, touch);
        if (counts_live)
            replayer->live += bytes - slot->size;
        *slot = (struct slot){p, bytes};
    }
    return end;
}

/* One function a policy. They are not inlined into each other, so that each has its own branches
   and the processor predicts them alike. */
#define DEFINE_RUN(name, touch, counts_live)                                                       \
    static __attribute__((noinline)) const uint64_t *name(struct replayer *replayer,               \
                                                          const uint64_t *at, const uint64_t *end) \
    {                                                                                              \
        return run(replayer, at, end, touch, counts_live);                                         \
    }

DEFINE_RUN(run_none, TOUCH_NONE, false)
DEFINE_RUN(run_first, TOUCH_FIRST, false)
DEFINE_RUN(run_page, TOUCH_PAGE, false)
DEFINE_RUN(run_all, TOUCH_ALL, false)
DEFINE_RUN(run_none_live, TOUCH_NONE, true)
DEFINE_RUN(run_first_live, TOUCH_FIRST, true)
DEFINE_RUN(run_page_live, TOUCH_PAGE, true)
DEFINE_RUN(run_all_live, TOUCH_ALL, true)

typedef const uint64_t *run_function(struct replayer *, const uint64_t *, const uint64_t *);

static run_function *const runs[2][TOUCH_ALL + 1] = {
    {run_none, run_first, run_page, run_all},
    {run_none_live, run_first_live, run_page_live, run_all_live},
};

bool replayer_open(struct replayer *replayer, uint32_t last, enum touch touch, bool counts_live)
{
    size_t slots = (size_t)last + 1;
    struct slot *table = own_memory_map(slots * sizeof(*table));
    *replayer = (struct replayer){
        .table = table, .slots = slots, .touch = touch, .counts_live = counts_live};
    return table != NULL;
}

void replayer_touch(struct replayer *replayer)
{
    volatile char *table = (volatile char *)replayer->table;
    for (size_t at = 0; at < replayer->slots * sizeof(struct slot); at += TOUCH_STEP)
        table[at] = table[at];
}

void replayer_close(struct replayer *replayer)
{
    own_memory_unmap(replayer->table, replayer->slots * sizeof(*replayer->table));
    replayer->table = NULL;
}

const uint64_t *replayer_run(struct replayer *replayer, const uint64_t *at, const uint64_t *end)
{
    run_function *function = runs[replayer->counts_live][replayer->touch];
    struct cost before = cost_before();
    const uint64_t *reached = function(replayer, at, end);
    struct cost after = cost_after();
    cost_add(&replayer->cost, &before, &after);
    return reached;
}

void replayer_drain(struct replayer *replayer)
{
    for (size_t i = 0; i < replayer->slots; i++) {
        free(replayer->table[i].p);
        replayer->table[i] = (struct slot){NULL, 0};
    }
    replayer->live = 0;
}
