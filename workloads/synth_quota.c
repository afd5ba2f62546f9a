/*
 * A draw weighs what may follow by how often it followed, and by the share of it that this segment
 * still has to give: what the segment is rich in comes more often than it did in the whole trace.
 */
#include "synth_quota.h"

#include "pages.h"

static uint64_t row_last(const struct synth_profile *profile, enum synth_table table, size_t row)
{
    return synth_row(profile, table, row)[synth_shapes[table].columns - 1];
}

static bool symbol_makes(const struct synth_profile *profile, uint64_t symbol)
{
    return synth_row(profile, SYNTH_SYMBOL, symbol)[SYMBOL_CALL] != SYNTH_RESIZE;
}

static unsigned symbol_role(const struct synth_profile *profile, uint64_t symbol)
{
    return (unsigned)synth_row(profile, SYNTH_SYMBOL, symbol)[SYMBOL_ROLE];
}

bool synth_quota_open(struct synth_quota *quota, const struct synth_profile *profile, uint64_t seed)
{
    *quota = (struct synth_quota){.profile = profile, .prng = prng_of_seed(seed, 0), .scale = 1};
    for (int i = 0; i < 2; i++)
        quota->rest[i] = prng_unit(&quota->prng);
    for (size_t i = 0; i < synth_count(profile, SYNTH_BEGUN); i++) {
        const uint64_t *begun = synth_row(profile, SYNTH_BEGUN, i);
        quota->often[begun[1]] += (double)begun[2];
        if (symbol_makes(profile, begun[1]))
            quota->role_often[symbol_role(profile, begun[1])] += (double)begun[2];
    }
    quota->fates_left = pages_map((synth_count(profile, SYNTH_FATE) + 1) * sizeof(uint64_t));
    return quota->fates_left != NULL;
}

void synth_quota_close(struct synth_quota *quota)
{
    if (quota->profile != NULL)
        pages_unmap(quota->fates_left,
                    (synth_count(quota->profile, SYNTH_FATE) + 1) * sizeof(uint64_t));
}

/* count, scaled: rounded so that what was lost here is made good at the next. */
static uint64_t share_of(struct synth_quota *quota, double *rest, uint64_t count)
{
    double share = (double)count * quota->scale + *rest;
    uint64_t whole = (uint64_t)share;
    *rest = share - (double)whole;
    return whole;
}

static void range_find(const struct synth_profile *profile, enum synth_table table,
                       const uint64_t *key, unsigned n, size_t *first, size_t *end)
{
    uint64_t behind[SYNTH_COLUMNS_MAX];
    for (unsigned i = 0; i < n; i++)
        behind[i] = key[i] + (i == n - 1);
    *first = synth_find(profile, table, key, n);
    *end = synth_find(profile, table, behind, n);
}

void synth_quota_enter(struct synth_quota *quota, unsigned segment)
{
    const struct synth_profile *profile = quota->profile;
    const uint64_t key[] = {segment};
    for (unsigned i = 0; i < SYNTH_ROLES; i++)
        quota->role_left[i] = 0;
    quota->segment = segment;
    quota->makes_left = 0;
    range_find(profile, SYNTH_BEGUN, key, 1, &quota->first, &quota->end);
    for (size_t i = quota->first; i < quota->end; i++) {
        const uint64_t *begun = synth_row(profile, SYNTH_BEGUN, i);
        int64_t left = (int64_t)share_of(quota, &quota->rest[0], begun[2]);
        quota->left[begun[1]] += left;
        if (symbol_makes(profile, begun[1])) {
            quota->role_left[symbol_role(profile, begun[1])] += (uint64_t)left;
            quota->makes_left += (uint64_t)left;
        }
    }
    size_t first, end;
    range_find(profile, SYNTH_FATE, key, 1, &first, &end);
    for (size_t i = first; i < end; i++)
        quota->fates_left[i] = share_of(quota, &quota->rest[1], row_last(profile, SYNTH_FATE, i));
}

/* How much a row weighs in a draw. */
typedef double (*row_weight)(const struct synth_quota *quota, enum synth_table table, size_t row);

static double weigh_count(const struct synth_quota *quota, enum synth_table table, size_t row)
{
    return (double)row_last(quota->profile, table, row);
}

static double weigh_left(const struct synth_quota *quota, enum synth_table table, size_t row)
{
    const uint64_t *values = synth_row(quota->profile, table, row);
    unsigned columns = synth_shapes[table].columns;
    uint64_t symbol = values[columns - 2];
    if (quota->left[symbol] <= 0)
        return 0;
    return (double)values[columns - 1] * (double)quota->left[symbol] / quota->often[symbol];
}

static double weigh_role(const struct synth_quota *quota, enum synth_table table, size_t row)
{
    const uint64_t *values = synth_row(quota->profile, table, row);
    uint64_t left = quota->role_left[values[1]];
    return left == 0 ? 0 : (double)values[2] * (double)left / quota->role_often[values[1]];
}

static double weigh_fate(const struct synth_quota *quota, enum synth_table table, size_t row)
{
    (void)table;
    return (double)quota->fates_left[row];
}

/* One of the rows from first to before end; SIZE_MAX if none weighs anything. */
static size_t row_draw(struct synth_quota *quota, enum synth_table table, size_t first, size_t end,
                       row_weight weigh)
{
    double sum = 0;
    for (size_t i = first; i < end; i++)
        sum += weigh(quota, table, i);
    if (!(sum > 0))
        return SIZE_MAX;
    double at = prng_unit(&quota->prng) * sum;
    size_t last = SIZE_MAX;
    for (size_t i = first; i < end; i++) {
        double weight = weigh(quota, table, i);
        if (weight > 0)
            last = i;
        if (weight > 0 && (at -= weight) < 0)
            return i;
    }
    return last;
}

/* The same among the rows that begin with the n values of key. */
static size_t keyed_draw(struct synth_quota *quota, enum synth_table table, const uint64_t *key,
                         unsigned n, row_weight weigh)
{
    size_t first, end;
    range_find(quota->profile, table, key, n, &first, &end);
    return row_draw(quota, table, first, end, weigh);
}

unsigned synth_draw_role(struct synth_quota *quota, unsigned role)
{
    size_t row = keyed_draw(quota, SYNTH_SWITCH, (uint64_t[]){role}, 1, weigh_role);
    if (row != SIZE_MAX)
        return (unsigned)synth_row(quota->profile, SYNTH_SWITCH, row)[1];
    unsigned richest = 0;
    for (unsigned i = 1; i < SYNTH_ROLES; i++)
        richest = quota->role_left[i] > quota->role_left[richest] ? i : richest;
    return richest;
}

/* Any of those left for the role to make. */
static uint32_t make_draw_any(struct synth_quota *quota, unsigned role)
{
    const struct synth_profile *profile = quota->profile;
    uint64_t at = (uint64_t)(prng_unit(&quota->prng) * (double)quota->role_left[role]);
    uint32_t last = SYNTH_NONE;
    for (size_t i = quota->first; i < quota->end; i++) {
        uint64_t symbol = synth_row(profile, SYNTH_BEGUN, i)[1];
        if (symbol_role(profile, symbol) != role || !symbol_makes(profile, symbol))
            continue;
        uint64_t left = (uint64_t)quota->left[symbol];
        if (left > 0)
            last = (uint32_t)symbol;
        if (at < left)
            break;
        at -= left;
    }
    return last;
}

/* Whether the symbol may be made by the role: a damaged profile may claim that any follows. */
static bool make_is_good(const struct synth_quota *quota, uint64_t symbol, unsigned role)
{
    return symbol_makes(quota->profile, symbol) && symbol_role(quota->profile, symbol) == role;
}

/* By what was made before; SYNTH_NONE where none of what followed is left. */
static uint32_t make_draw(struct synth_quota *quota, const uint32_t last[2])
{
    const struct synth_profile *profile = quota->profile;
    size_t row = SIZE_MAX;
    if (last[1] != 0) {
        const uint64_t key[] = {last[1] - 1, last[0] - 1};
        row = keyed_draw(quota, SYNTH_AFTER_TWO, key, 2, weigh_left);
        if (row != SIZE_MAX)
            return (uint32_t)synth_row(profile, SYNTH_AFTER_TWO, row)[2];
    }
    if (last[0] != 0)
        row = keyed_draw(quota, SYNTH_AFTER_ONE, (uint64_t[]){last[0] - 1}, 1, weigh_left);
    return row == SIZE_MAX ? SYNTH_NONE : (uint32_t)synth_row(profile, SYNTH_AFTER_ONE, row)[1];
}

uint32_t synth_draw_make(struct synth_quota *quota, unsigned role, const uint32_t last[2])
{
    uint32_t symbol = make_draw(quota, last);
    if (symbol == SYNTH_NONE || !make_is_good(quota, symbol, role))
        symbol = make_draw_any(quota, role);
    if (symbol != SYNTH_NONE) {
        quota->left[symbol]--;
        quota->role_left[role]--;
        quota->makes_left--;
    }
    return symbol;
}

uint32_t synth_draw_growth(struct synth_quota *quota, unsigned role, unsigned size)
{
    const uint64_t key[] = {role, size};
    size_t row = keyed_draw(quota, SYNTH_GROWTH, key, 2, weigh_left);
    if (row == SIZE_MAX)
        row = keyed_draw(quota, SYNTH_GROWTH, key, 2, weigh_count);
    if (row == SIZE_MAX)
        return SYNTH_NONE;
    uint32_t symbol = (uint32_t)synth_row(quota->profile, SYNTH_GROWTH, row)[2];
    if (symbol_makes(quota->profile, symbol))
        return SYNTH_NONE;
    quota->left[symbol]--;
    return symbol;
}

/* A row of fates for a size in a segment: of those left, or with `any` of all. */
static size_t fate_row(struct synth_quota *quota, unsigned segment, unsigned size, bool any)
{
    const uint64_t key[] = {segment, size};
    return keyed_draw(quota, SYNTH_FATE, key, 2, any ? weigh_count : weigh_fate);
}

/* Blocks that grow come a little earlier or later here than there, so that their fate may stand in
   a segment nearby. */
static size_t fate_row_near(struct synth_quota *quota, unsigned size)
{
    unsigned segments = (unsigned)synth_count(quota->profile, SYNTH_SEGMENT);
    size_t row = fate_row(quota, quota->segment, size, false);
    for (unsigned back = 1; row == SIZE_MAX && back <= quota->segment; back++)
        row = fate_row(quota, quota->segment - back, size, false);
    for (unsigned off = 0; row == SIZE_MAX && off < segments; off++) {
        if (quota->segment + off < segments)
            row = fate_row(quota, quota->segment + off, size, true);
        if (row == SIZE_MAX && off <= quota->segment)
            row = fate_row(quota, quota->segment - off, size, true);
    }
    return row;
}

void synth_draw_fate(struct synth_quota *quota, unsigned size, unsigned *segment, unsigned *end)
{
    const struct synth_profile *profile = quota->profile;
    size_t row = fate_row_near(quota, size);
    *segment = (unsigned)synth_count(profile, SYNTH_SEGMENT);
    *end = SYNTH_FREE;
    if (row == SIZE_MAX)
        return;
    quota->fates_left[row] -= quota->fates_left[row] > 0;
    *segment = (unsigned)synth_row(profile, SYNTH_FATE, row)[2];
    *end = (unsigned)synth_row(profile, SYNTH_FATE, row)[3];
}

unsigned synth_draw_ender(struct synth_quota *quota, unsigned role, unsigned kind)
{
    const uint64_t key[] = {role, kind};
    size_t row = keyed_draw(quota, SYNTH_HANDOVER, key, 2, weigh_count);
    return row == SIZE_MAX ? role : (unsigned)synth_row(quota->profile, SYNTH_HANDOVER, row)[2];
}

uint64_t synth_draw_bytes(struct synth_quota *quota, unsigned size)
{
    const uint64_t *range = synth_row(quota->profile, SYNTH_SIZE, size);
    if (range[0] == range[1])
        return range[0];
    /* Below the mean or above it, by shares that keep it. */
    double below = (double)(range[1] - range[2]) / (double)(range[1] - range[0]);
    bool is_below = prng_unit(&quota->prng) < below;
    uint64_t from = is_below ? range[0] : range[2], to = is_below ? range[2] : range[1];
    return from + (uint64_t)(prng_unit(&quota->prng) * (double)(to - from + 1));
}
