/*
 * A clock goes on with each version, of its role and of all. When a block is made, a symbol is
 * drawn for it, and with it its end is put into the calendar; after each version, what is due ends:
 * short versions by their role's clock, long ones spread over the segment of their end. A resize
 * ends one version and begins another. A trace longer than the profile's goes through its segments
 * several times; between two rounds all blocks end, as they do between two runs of a program.
 */
#include "synth_make.h"

#include "pages.h"
#include "slot_pool.h"
#include "synth_calendar.h"
#include "synth_output.h"
#include "synth_quota.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    RUN = 64,   /* blocks that one of several like threads makes in a row; arbitrary */
    LARGE = 32, /* a block is large from this part of the peak on, so there are no more of them */
    PEAK_SLACK = 8, /* part of the peak: pdftoppm holds too little without slack, and has a peak
                       too high without a limit */
};

struct role {
    uint64_t clock;
    uint32_t last[2];        /* 1 + symbols made last */
    uint32_t log_slot;       /* the block put into the calendar last with a life by its logarithm */
    uint64_t log_due;        /* the clock of its end */
    uint32_t thread;         /* that makes blocks now */
    uint32_t first, threads; /* those that may */
};

struct maker {
    const struct synth_profile *profile;
    struct synth_quota quota;
    struct synth_calendar calendar;
    struct synth_output output;
    struct slot_pool slots;
    struct role roles[SYNTH_ROLES];
    uint32_t due;       /* a bit for each role, some version of which may be due */
    unsigned role;      /* that made a block last */
    unsigned segment;   /* now */
    unsigned highest;   /* with the most live bytes */
    uint64_t versions;  /* begun so far */
    double group_due;   /* `versions` when the next long ones end together */
    double group_pause; /* between two such ends, on average */
    double group_start; /* of the present pause */
    double nulls;       /* free(NULL) owed */
    double nulls_a_call;
    unsigned used; /* roles; where there are several, the clock of one says little of the others */
    uint64_t live, peak;   /* bytes; the most there may be in this segment */
    uint64_t summit;       /* bytes: the trace's most, while that is to come; else 0 */
    uint32_t large[LARGE]; /* blocks of a good part of it, oldest first */
    unsigned larges;
    bool failed; /* errno has why, or the writer */
};

/* false, and no more is made: memory is out. */
static bool maker_fail(struct maker *maker)
{
    maker->failed = true;
    return false;
}

static struct synth_list *gap_of(struct maker *maker, unsigned role, uint64_t clock)
{
    return &maker->calendar.gaps[role][clock % SYNTH_GAPS];
}

/* What is left of the role's present moment belongs to the next one. */
static void clock_advance(struct maker *maker, unsigned role)
{
    struct role *of = &maker->roles[role];
    struct synth_list *left = gap_of(maker, role, of->clock);
    of->clock++;
    maker->versions++;
    maker->due |= UINT32_C(1) << role;
    synth_splice(&maker->calendar, left, gap_of(maker, role, of->clock));
}

/* Puts the end of a version whose life is known by its logarithm where its neighbour's is, if the
   relation says so and that is about as far away; else anywhere in its half octave. */
static void put_log(struct maker *maker, uint32_t slot, unsigned role, unsigned life)
{
    struct role *of = &maker->roles[role];
    unsigned relation = (life - SYNTH_LIFE_LOG) % SYNTH_RELATIONS;
    unsigned log = (life - SYNTH_LIFE_LOG) / SYNTH_RELATIONS;
    uint64_t low = synth_log_start(log), high = synth_log_start(log + 1);
    uint64_t due = of->clock + prng_between(&maker->quota.prng, low, high - 1);
    bool fits = of->log_slot != SYNTH_NONE && of->log_due >= of->clock + low / 2 &&
                of->log_due < of->clock + high;
    if (relation == SYNTH_ALONE || !fits) {
        synth_put_behind(&maker->calendar, gap_of(maker, role, due), slot, SYNTH_NONE);
    } else {
        due = of->log_due;
        struct synth_list *list = gap_of(maker, role, due);
        if (relation == SYNTH_BEHIND)
            synth_put_behind(&maker->calendar, list, slot, of->log_slot);
        else
            synth_put_before(&maker->calendar, list, slot, of->log_slot);
    }
    of->log_slot = slot;
    of->log_due = due;
}

/* One of the steps by which long ends of this segment follow each other. */
static unsigned step_draw(struct maker *maker, unsigned segment)
{
    const uint64_t *steps = synth_row(maker->profile, SYNTH_SEGMENT, segment) + SEGMENT_STEPS;
    uint64_t sum = 0;
    for (int i = 0; i < SYNTH_STEPS; i++)
        sum += steps[i];
    uint64_t at = (uint64_t)(prng_unit(&maker->quota.prng) * (double)sum);
    for (unsigned i = 0; i < SYNTH_STEPS; i++) {
        if (at < steps[i])
            return i;
        at -= steps[i];
    }
    return SYNTH_STRANGER;
}

static void put_long(struct maker *maker, uint32_t slot, unsigned role)
{
    unsigned segment, end;
    struct synth_block *block = &maker->calendar.blocks[slot];
    synth_draw_fate(&maker->quota, block->size, &segment, &end);
    block->end = (uint8_t)end;
    if (segment == synth_count(maker->profile, SYNTH_SEGMENT))
        return;
    if (segment < maker->segment)
        segment = maker->segment;
    if (segment == maker->segment && maker->used == 1) {
        uint64_t short_max = synth_total(maker->profile, SYNTH_SHORT);
        uint64_t due = maker->roles[role].clock +
                       prng_between(&maker->quota.prng, short_max, 2 * short_max - 1);
        synth_put_behind(&maker->calendar, gap_of(maker, role, due), slot, SYNTH_NONE);
        return;
    }
    synth_put_long(&maker->calendar, segment, slot, step_draw(maker, segment));
}

/* A version ends. */
static void level_lower(struct maker *maker, uint32_t slot)
{
    maker->live -= maker->calendar.blocks[slot].bytes;
    for (unsigned i = 0; i < maker->larges; i++) {
        if (maker->large[i] != slot)
            continue;
        maker->larges--;
        memmove(maker->large + i, maker->large + i + 1, (maker->larges - i) * sizeof *maker->large);
        return;
    }
}

/* The version in `slot` is of this symbol: its end comes into the calendar. */
static void version_begin(struct maker *maker, uint32_t slot, const uint64_t *symbol, unsigned role,
                          uint64_t bytes)
{
    unsigned life = (unsigned)symbol[SYMBOL_LIFE];
    struct synth_block *block = &maker->calendar.blocks[slot];
    block->list = NULL;
    block->size = (uint16_t)symbol[SYMBOL_SIZE];
    block->role = (uint8_t)role;
    block->end = (uint8_t)symbol[SYMBOL_END];
    block->segment = (uint8_t)maker->segment;
    block->bytes = bytes;
    block->is_long = block->joined = false;
    block->lives = true;
    maker->live += bytes;
    if (maker->live >= maker->summit)
        maker->summit = 0;
    if (bytes > maker->peak / LARGE && maker->larges < LARGE)
        maker->large[maker->larges++] = slot;
    clock_advance(maker, role);
    if (life == SYNTH_LIFE_LONG) {
        put_long(maker, slot, role);
    } else if (life >= SYNTH_LIFE_LOG) {
        put_log(maker, slot, role, life);
    } else {
        struct synth_list *list = gap_of(maker, role, maker->roles[role].clock + life / 2);
        if (life % 2 == SYNTH_BEFORE)
            synth_put_before(&maker->calendar, list, slot, SYNTH_NONE);
        else
            synth_put_behind(&maker->calendar, list, slot, SYNTH_NONE);
    }
}

/* Writes op, and as many free(NULL) as come with it. */
static bool call_put(struct maker *maker, struct trace_op *op, uint32_t thread)
{
    if (!synth_output_put(&maker->output, op, thread))
        return false;
    for (maker->nulls += maker->nulls_a_call; maker->nulls >= 1; maker->nulls--) {
        struct trace_op null = {.kind = TRACE_FREE, .flags = TRACE_NULL, .slot = TRACE_NO_SLOT};
        if (!synth_output_put(&maker->output, &null, thread))
            return false;
    }
    return true;
}

/* The next thread of those that share a role, now and then. */
static uint32_t thread_next(struct maker *maker, unsigned role)
{
    struct role *of = &maker->roles[role];
    bool turns =
        of->threads > 1 && (role != maker->role || prng_below(&maker->quota.prng, RUN) == 0);
    if (turns)
        of->thread = of->first + (of->thread - of->first + 1) % of->threads;
    return of->thread;
}

static bool version_end(struct maker *maker, uint32_t slot);

/* Ends large blocks that are to be freed, the oldest ones first, until so many bytes stay below the
   limit. */
static bool larges_end(struct maker *maker, uint64_t bytes, uint64_t limit, bool is_long)
{
    for (unsigned i = 0; i < maker->larges && maker->live + bytes > limit;) {
        uint32_t slot = maker->large[i];
        const struct synth_block *block = &maker->calendar.blocks[slot];
        bool may_end = block->list != NULL && block->end != SYNTH_RESIZED;
        if (!may_end || block->is_long != is_long)
            i++;
        else if (!version_end(maker, slot))
            return false;
    }
    return true;
}

/* Programs have their large buffers one after the other, where chance would have several at a time:
   short ones end early where the segment's peak would be exceeded, long ones where it would be by
   much. */
static bool level_keep(struct maker *maker, uint64_t bytes)
{
    uint64_t peak = maker->peak;
    if (bytes <= peak / LARGE)
        return true;
    return larges_end(maker, bytes, peak, false) &&
           larges_end(maker, bytes, peak + peak / PEAK_SLACK, true);
}

static bool block_make(struct maker *maker, unsigned role, uint32_t number)
{
    uint32_t slot;
    const uint64_t *symbol = synth_row(maker->profile, SYNTH_SYMBOL, number);
    struct trace_op op = {.kind = (uint8_t)symbol[SYMBOL_CALL]};
    uint32_t thread = thread_next(maker, role);
    op.size = synth_draw_bytes(&maker->quota, (unsigned)symbol[SYMBOL_SIZE]);
    if (op.kind >= TRACE_ALIGNED_ALLOC && op.kind <= TRACE_POSIX_MEMALIGN)
        op.count = UINT64_C(1) << symbol[SYMBOL_ALIGN];
    else
        op.count = op.kind == TRACE_CALLOC;
    op.flags = op.kind == TRACE_REALLOC ? TRACE_NULL : 0;
    if (!level_keep(maker, op.size))
        return false;
    if (!slot_pool_take(&maker->slots, &slot) || !synth_calendar_reserve(&maker->calendar, slot))
        return maker_fail(maker);
    op.slot = slot;
    if (!call_put(maker, &op, thread))
        return false;
    struct role *of = &maker->roles[role];
    of->last[1] = of->last[0];
    of->last[0] = number + 1;
    maker->role = role;
    maker->calendar.blocks[slot].thread = thread;
    version_begin(maker, slot, symbol, role, op.size);
    return true;
}

static bool block_free(struct maker *maker, uint32_t slot, uint32_t thread)
{
    struct synth_block *block = &maker->calendar.blocks[slot];
    bool by_realloc = block->end == SYNTH_REALLOC_ZERO;
    struct trace_op op = {.kind = by_realloc ? TRACE_REALLOC : TRACE_FREE, .slot = slot};
    block->lives = false;
    if (!call_put(maker, &op, thread))
        return false;
    return slot_pool_put(&maker->slots, slot) || maker_fail(maker);
}

static bool block_resize(struct maker *maker, uint32_t slot, unsigned role, uint32_t thread)
{
    struct synth_block *block = &maker->calendar.blocks[slot];
    uint32_t number = synth_draw_growth(&maker->quota, role, block->size);
    if (number == SYNTH_NONE)
        return block_free(maker, slot, thread);
    const uint64_t *symbol = synth_row(maker->profile, SYNTH_SYMBOL, number);
    struct trace_op op = {.kind = TRACE_REALLOC, .slot = slot};
    op.size = synth_draw_bytes(&maker->quota, (unsigned)symbol[SYMBOL_SIZE]);
    op.size += op.size == 0; /* of 0 bytes it would free */
    if (!call_put(maker, &op, thread))
        return false;
    block->thread = thread;
    version_begin(maker, slot, symbol, role, op.size);
    return true;
}

/* The version in `slot` is due. */
static bool version_end(struct maker *maker, uint32_t slot)
{
    struct synth_block *block = &maker->calendar.blocks[slot];
    unsigned role = block->role;
    uint32_t thread = block->thread;
    struct role *of = &maker->roles[role];
    synth_take(&maker->calendar, slot);
    level_lower(maker, slot);
    if (of->log_slot == slot)
        of->log_slot = SYNTH_NONE;
    unsigned kind = synth_handover_kind(block->is_long, block->end == SYNTH_RESIZED);
    unsigned ender = synth_draw_ender(&maker->quota, role, kind);
    if (ender != role)
        thread = maker->roles[ender].thread;
    if (block->end == SYNTH_RESIZED)
        return block_resize(maker, slot, ender, thread);
    return block_free(maker, slot, thread);
}

static struct synth_list *segment_list(struct maker *maker)
{
    return &maker->calendar.segments[maker->segment];
}

/* The most live bytes of a trace are often those of a moment in which several threads have their
   largest buffers: such a block stays until they are all there. */
static bool end_waits(const struct maker *maker, uint32_t slot)
{
    const struct synth_block *block = &maker->calendar.blocks[slot];
    return maker->summit > 0 && block->bytes > maker->peak / LARGE && block->end != SYNTH_RESIZED;
}

/* The version in `slot` ends now, or is looked at again when its role has begun another one. */
static bool version_end_or_wait(struct maker *maker, uint32_t slot)
{
    struct synth_block *block = &maker->calendar.blocks[slot];
    struct role *of = &maker->roles[block->role];
    if (!end_waits(maker, slot))
        return version_end(maker, slot);
    synth_take(&maker->calendar, slot);
    block->is_long = block->joined = false;
    if (of->log_slot == slot)
        of->log_slot = SYNTH_NONE;
    struct synth_list *next = gap_of(maker, block->role, of->clock + 1);
    synth_put_behind(&maker->calendar, next, slot, SYNTH_NONE);
    return true;
}

/* Long versions that end together. */
static bool group_end(struct maker *maker)
{
    struct synth_list *list = segment_list(maker);
    bool joined;
    do {
        if (!version_end_or_wait(maker, list->first))
            return false;
        joined = list->first != SYNTH_NONE && maker->calendar.blocks[list->first].joined;
    } while (joined);
    maker->group_start += maker->group_pause;
    maker->group_due = maker->group_start + prng_unit(&maker->quota.prng) * maker->group_pause;
    return true;
}

/* Ends all that is due. */
static bool due_end(struct maker *maker)
{
    for (;;) {
        bool in_segment =
            segment_list(maker)->first != SYNTH_NONE && (double)maker->versions >= maker->group_due;
        if (maker->due != 0) {
            unsigned role = (unsigned)__builtin_ctz(maker->due);
            uint32_t slot = gap_of(maker, role, maker->roles[role].clock)->first;
            if (slot == SYNTH_NONE)
                maker->due &= maker->due - 1;
            else if (!version_end_or_wait(maker, slot))
                return false;
        } else if (!in_segment) {
            return true;
        } else if (!group_end(maker)) {
            return false;
        }
    }
}

/* The ends of the segment's long versions are spread over as many versions as it should have. */
static void segment_enter(struct maker *maker, unsigned segment)
{
    const uint64_t *row = synth_row(maker->profile, SYNTH_SEGMENT, segment);
    double versions = (double)row[SEGMENT_VERSIONS] * maker->quota.scale, groups = 0;
    maker->segment = segment;
    maker->peak = row[SEGMENT_PEAK];
    maker->summit = segment == maker->highest ? maker->peak : 0;
    if (maker->quota.scale < 1)
        maker->summit = (uint64_t)((double)maker->summit * maker->quota.scale);
    synth_quota_enter(&maker->quota, segment);
    for (uint32_t at = segment_list(maker)->first; at != SYNTH_NONE;) {
        groups += !maker->calendar.blocks[at].joined;
        at = maker->calendar.blocks[at].behind;
    }
    maker->group_pause = versions / (groups + 1);
    maker->group_start = (double)maker->versions;
    maker->group_due = maker->group_start + prng_unit(&maker->quota.prng) * maker->group_pause;
    maker->nulls_a_call =
        row[SEGMENT_NULLS] >= row[SEGMENT_OPS]
            ? 0
            : (double)row[SEGMENT_NULLS] / (double)(row[SEGMENT_OPS] - row[SEGMENT_NULLS]);
    maker->output.ns_an_op =
        row[SEGMENT_OPS] == 0 ? 0 : (double)row[SEGMENT_NS] / (double)row[SEGMENT_OPS];
}

/* Ends short versions that began before this segment. None of them lives longer than to the end of
   the next one, though its role may stand still. */
static bool stale_end(struct maker *maker, unsigned segment)
{
    uint64_t gaps = 2 * synth_total(maker->profile, SYNTH_SHORT);
    for (unsigned role = 0; role < maker->used; role++) {
        for (unsigned gap = 0; gap < gaps; gap++) {
            uint32_t slot = gap_of(maker, role, maker->roles[role].clock + gap)->first;
            while (slot != SYNTH_NONE) {
                const struct synth_block *block = &maker->calendar.blocks[slot];
                uint32_t behind = block->behind;
                if (block->segment < segment) {
                    if (!version_end(maker, slot))
                        return false;
                    /* A resize moves what else is in the list. */
                    behind = gap_of(maker, role, maker->roles[role].clock + gap)->first;
                }
                slot = behind;
            }
        }
    }
    return true;
}

/* Makes what the segment has. */
static bool segment_make(struct maker *maker, unsigned segment)
{
    segment_enter(maker, segment);
    if (!due_end(maker))
        return false;
    while (maker->quota.makes_left > 0) {
        unsigned role = synth_draw_role(&maker->quota, maker->role);
        uint32_t symbol = synth_draw_make(&maker->quota, role, maker->roles[role].last);
        if (symbol == SYNTH_NONE || !block_make(maker, role, symbol) || !due_end(maker))
            return false;
    }
    maker->group_due = 0;
    maker->group_pause = 0;
    maker->group_start = 0;
    maker->summit = 0;
    return due_end(maker) && stale_end(maker, segment) && due_end(maker);
}

/* Between two rounds all blocks end. */
static bool blocks_end(struct maker *maker)
{
    for (uint32_t slot = 0; slot < maker->slots.next; slot++) {
        struct synth_block *block = &maker->calendar.blocks[slot];
        if (!block->lives)
            continue;
        block->end = SYNTH_FREE;
        if (!block_free(maker, slot, block->thread))
            return false;
    }
    maker->live = 0;
    maker->larges = 0;
    for (unsigned i = 0; i < SYNTH_ROLES; i++)
        maker->roles[i].log_slot = SYNTH_NONE;
    synth_calendar_clear(&maker->calendar);
    return true;
}

/* The last segment in which blocks are made. */
static unsigned segment_last(const struct synth_profile *profile)
{
    unsigned last = 0;
    for (size_t i = 0; i < synth_count(profile, SYNTH_BEGUN); i++) {
        const uint64_t *begun = synth_row(profile, SYNTH_BEGUN, i);
        bool makes = synth_row(profile, SYNTH_SYMBOL, begun[1])[SYMBOL_CALL] != SYNTH_RESIZE;
        if (makes && begun[2] > 0)
            last = (unsigned)begun[0];
    }
    return last;
}

/* The first segment with the most live bytes. */
static unsigned segment_highest(const struct synth_profile *profile)
{
    unsigned highest = 0;
    for (unsigned i = 1; i < synth_count(profile, SYNTH_SEGMENT); i++) {
        if (synth_row(profile, SYNTH_SEGMENT, i)[SEGMENT_PEAK] >
            synth_row(profile, SYNTH_SEGMENT, highest)[SEGMENT_PEAK])
            highest = i;
    }
    return highest;
}

/* Round after round, until the output is full. */
static void rounds_make(struct maker *maker, uint64_t ops)
{
    const struct synth_profile *profile = maker->profile;
    uint64_t whole = synth_total(profile, SYNTH_OPS);
    uint64_t rounds = (ops + whole / 2) / whole;
    rounds = rounds == 0 ? 1 : rounds;
    uint64_t left = rounds > 1 ? synth_total(profile, SYNTH_LEFT) : 0;
    maker->quota.scale = (double)ops / (double)rounds / (double)(whole + left);
    maker->highest = segment_highest(profile);
    for (uint64_t round = 0; round < rounds; round++) {
        if (round > 0 && !blocks_end(maker))
            return;
        for (unsigned i = 0; i < synth_count(profile, SYNTH_SEGMENT); i++) {
            if (!segment_make(maker, i))
                return;
        }
    }
    unsigned last = segment_last(profile);
    if (!stale_end(maker, SYNTH_SEGMENTS))
        return;
    for (uint64_t before = maker->output.ops; segment_make(maker, last);) {
        if (maker->output.ops == before)
            maker->quota.scale *= 2; /* so few operations that no block is due for long */
        before = maker->output.ops;
    }
}

/* A thread for each role, and the others to those that make the most; roles share threads where
   there are too few. */
static void threads_deal(struct maker *maker, uint64_t threads)
{
    unsigned roles = 1;
    for (unsigned i = 0; i < SYNTH_ROLES; i++) {
        roles = maker->quota.role_often[i] > 0 ? i + 1 : roles;
        maker->roles[i].threads = 1;
    }
    for (uint64_t i = roles; i < threads; i++) {
        unsigned busiest = 0;
        for (unsigned r = 1; r < roles; r++) {
            if (maker->quota.role_often[r] * maker->roles[busiest].threads >
                maker->quota.role_often[busiest] * maker->roles[r].threads)
                busiest = r;
        }
        maker->roles[busiest].threads++;
    }
    maker->used = roles;
    uint32_t first = 0;
    for (unsigned i = 0; i < SYNTH_ROLES; i++) {
        maker->roles[i].first = maker->roles[i].thread = first % (uint32_t)threads;
        maker->roles[i].log_slot = SYNTH_NONE;
        first += maker->roles[i].threads;
    }
}

bool synth_make(const struct synth_profile *profile, const struct synth_order *order,
                struct trace_writer *writer, struct synth_made *made, char error[TRACE_ERROR_MAX])
{
    static struct maker maker;
    maker = (struct maker){.profile = profile};
    bool ends = synth_total(profile, SYNTH_THREAD_ENDS);
    bool ok = synth_quota_open(&maker.quota, profile, order->seed) &&
              synth_output_open(&maker.output, writer, order->ops, order->threads, ends);
    if (ok) {
        threads_deal(&maker, order->threads);
        synth_calendar_clear(&maker.calendar);
        rounds_make(&maker, order->ops);
        ok = !maker.failed;
    }
    error[0] = '\0';
    if (!ok)
        snprintf(error, TRACE_ERROR_MAX, "synthesising the trace: %s", strerror(errno));
    ok = ok && synth_output_end(&maker.output);
    *made = (struct synth_made){maker.output.started, maker.output.callers};
    synth_output_close(&maker.output);
    synth_quota_close(&maker.quota);
    synth_calendar_close(&maker.calendar);
    slot_pool_close(&maker.slots);
    return ok && maker.output.ops == order->ops;
}
