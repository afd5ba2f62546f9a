/*
 * Two passes over the trace. The first one counts sizes and the operations of threads; the second
 * one follows each version from its beginning to its end. Versions wait in their role's ring until
 * they have ended or are known to be long, and are counted in the order in which they began: so
 * what was made before a block is known together with the lives of both.
 */
#include "synth_learn.h"

#include "pages.h"
#include "synth_sizes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    RING = 2 * SYNTH_SHORT_MAX, /* a version's place is used again long after it is counted */
    NONE = UINT32_MAX,
    NEAR =
        4, /* neighbours in age that count as the next one: others may live for a moment between */
    SEGMENT_OPS_MIN = 256,
    /* Rows that a profile keeps of what followed what, the most frequent ones. Measured: twice as
       many make no trace more like its original. */
    AFTER_MAX = 20000,
    ID_MAP = 4 * SYNTH_SYMBOLS,
};

/* A version in its role's ring. */
struct version {
    uint64_t begun;  /* versions of all roles begun before it */
    uint16_t size;   /* rows of the profile */
    uint16_t before; /* of a resized one, the size before */
    uint8_t call, align;
    uint8_t segment;
    uint8_t life; /* SYNTH_LIVES: not known yet */
    uint8_t end;
};

struct role {
    uint64_t clock;
    uint64_t head;    /* the first version that is not counted yet */
    uint64_t ended;   /* the clock when one of its versions ended last, with these: */
    uint64_t oldest;  /* the oldest version that ended at that moment */
    uint64_t logged;  /* 1 + the last one of them whose life is counted by its logarithm; 0: none */
    uint32_t last[2]; /* 1 + symbols of the blocks made last, the last one first */
    struct version ring[RING];
};

/* A live block. */
struct block {
    uint64_t version; /* number in its role */
    uint64_t begun;   /* versions of all roles begun before it */
    uint64_t bytes;
    uint32_t younger, older; /* live blocks by slot, in the order of their beginning */
    uint16_t size;
    uint8_t role, segment;
    bool lives;
};

struct learner {
    struct synth_profile *profile;
    const struct trace_totals *totals;
    struct synth_sizes sizes;
    struct block *blocks; /* by slot */
    size_t blocks_capacity;
    uint8_t *role_of;  /* by thread */
    uint64_t *ops_of;  /* by thread */
    uint32_t youngest; /* live block; NONE */
    uint32_t
        beside[2]; /* by SYNTH_YOUNGER, SYNTH_OLDER: neighbours of the long one that ended last */
    uint64_t long_end; /* versions begun when it ended; UINT64_MAX: none did */
    uint64_t versions;
    uint64_t ops, time_ns;
    uint64_t live; /* bytes */
    uint64_t short_max;
    unsigned segments, segment, maker; /* now; role that made a block last */
    struct count_map sizes_asked, begun, fates, switches, handovers, after_one, after_two, growth;
    struct role *roles; /* SYNTH_ROLES of them */
    uint64_t *ids;      /* symbols by hash, 1 + the packed symbol */
    uint16_t *id_rows;
};

/* The row of a symbol, made when it is new. Where there are too many, any of its hash serves. */
static bool symbol_find(struct learner *learner, const uint64_t symbol[6], uint32_t *row)
{
    uint64_t key = 1;
    for (int i = 0; i < 6; i++)
        key = key << (i == SYMBOL_SIZE ? 10 : 8) | symbol[i];
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40) % ID_MAP;
    while (learner->ids[i] != 0 && learner->ids[i] != key)
        i = (i + 1) % ID_MAP;
    size_t rows = synth_count(learner->profile, SYNTH_SYMBOL);
    if (learner->ids[i] == 0 && rows == SYNTH_SYMBOLS) {
        *row = (uint32_t)(key % SYNTH_SYMBOLS);
        return true;
    }
    if (learner->ids[i] == 0) {
        learner->ids[i] = key;
        learner->id_rows[i] = (uint16_t)rows;
        if (!synth_add(learner->profile, SYNTH_SYMBOL, symbol))
            return false;
    }
    *row = learner->id_rows[i];
    return true;
}

static uint64_t pair(uint64_t a, uint64_t b)
{
    return a << 16 | b;
}

/* Counts what was made before a block. */
static bool context_count(struct learner *learner, struct role *role, uint32_t symbol)
{
    const uint32_t *last = role->last;
    bool ok = last[0] == 0 || count_map_add(&learner->after_one, pair(last[0] - 1, symbol), 1);
    ok = ok && (last[1] == 0 || count_map_add(&learner->after_two,
                                              pair(pair(last[1] - 1, last[0] - 1), symbol), 1));
    role->last[1] = last[0];
    role->last[0] = symbol + 1;
    return ok;
}

static bool version_count(struct learner *learner, unsigned number, const struct version *version)
{
    uint32_t row;
    bool is_long = version->life == SYNTH_LIVES;
    uint64_t symbol[] = {number,
                         version->call,
                         version->align,
                         version->size,
                         is_long ? SYNTH_LIFE_LONG : version->life,
                         is_long ? 0 : version->end};
    if (!symbol_find(learner, symbol, &row) ||
        !count_map_add(&learner->begun, pair(version->segment, row), 1))
        return false;
    if (version->call == SYNTH_RESIZE)
        return count_map_add(&learner->growth, pair(pair(number, version->before), row), 1);
    return context_count(learner, &learner->roles[number], row);
}

/* Whether a version that began then is long by now. Its role may have stood still for long. */
static bool is_long(const struct learner *learner, const struct role *role, uint64_t version,
                    uint64_t begun, unsigned segment)
{
    return role->clock - version > learner->short_max ||
           learner->versions - begun > 2 * learner->short_max || learner->segment > segment + 1;
}

/* Counts the versions of which all is known, up to the first that is not; with `all`, all. */
static bool role_count(struct learner *learner, unsigned number, bool all)
{
    struct role *role = &learner->roles[number];
    for (; role->head < role->clock; role->head++) {
        struct version *version = &role->ring[role->head % RING];
        if (version->life == SYNTH_LIVES && !all &&
            !is_long(learner, role, role->head, version->begun, version->segment))
            return true;
        if (!version_count(learner, number, version))
            return false;
    }
    return true;
}

static void list_remove(struct learner *learner, uint32_t slot)
{
    const struct block *block = &learner->blocks[slot];
    if (block->younger != NONE)
        learner->blocks[block->younger].older = block->older;
    else
        learner->youngest = block->older;
    if (block->older != NONE)
        learner->blocks[block->older].younger = block->younger;
    if (learner->beside[SYNTH_YOUNGER] == slot)
        learner->beside[SYNTH_YOUNGER] = block->younger;
    if (learner->beside[SYNTH_OLDER] == slot)
        learner->beside[SYNTH_OLDER] = block->older;
}

/* A block in `slot` has its bytes from now on, by a call of this role. */
static bool version_begin(struct learner *learner, const struct trace_op *op, unsigned before)
{
    unsigned number = learner->role_of[op->thread];
    struct role *role = &learner->roles[number];
    struct block *block = &learner->blocks[op->slot];
    uint64_t bytes = trace_op_bytes(op);
    bool makes = trace_op_makes(op);
    *block = (struct block){
        .version = role->clock,
        .begun = learner->versions,
        .bytes = bytes,
        .younger = NONE,
        .older = learner->youngest,
        .size = (uint16_t)synth_sizes_find(&learner->sizes, learner->profile, bytes),
        .role = (uint8_t)number,
        .segment = (uint8_t)learner->segment,
        .lives = true,
    };
    learner->live += bytes;
    if (learner->youngest != NONE)
        learner->blocks[learner->youngest].younger = op->slot;
    learner->youngest = op->slot;
    bool aligned = op->kind >= TRACE_ALIGNED_ALLOC && op->kind <= TRACE_POSIX_MEMALIGN;
    role->ring[role->clock++ % RING] = (struct version){
        .begun = learner->versions,
        .size = block->size,
        .before = (uint16_t)before,
        .call = makes ? op->kind : SYNTH_RESIZE,
        .align = aligned ? (uint8_t)(synth_bits(op->count) - 1) : 0,
        .segment = block->segment,
        .life = SYNTH_LIVES,
    };
    learner->versions++;
    if (makes && learner->versions > 1 &&
        !count_map_add(&learner->switches, pair(learner->maker, number), 1))
        return false;
    if (makes)
        learner->maker = number;
    return role_count(learner, number, false);
}

/* The life of a version that ends so many versions after it began, and its relation to those that
   ended at the same moment. The one that ended just before may turn out to belong to this one. */
static unsigned life_of(struct role *role, uint64_t number)
{
    uint64_t life = role->clock - number - 1;
    if (role->ended != role->clock) {
        role->ended = role->clock;
        role->oldest = UINT64_MAX;
        role->logged = 0;
    }
    bool behind = role->oldest < number;
    role->oldest = number < role->oldest ? number : role->oldest;
    if (life < SYNTH_EXACT)
        return (unsigned)life * 2 + (behind ? 0 : SYNTH_BEFORE);
    unsigned relation = SYNTH_ALONE;
    if (role->logged > 0) {
        struct version *other = &role->ring[(role->logged - 1) % RING];
        if (number > role->logged - 1)
            relation = SYNTH_BEHIND;
        else if ((other->life - SYNTH_LIFE_LOG) % SYNTH_RELATIONS == SYNTH_ALONE)
            other->life += SYNTH_AHEAD;
    }
    role->logged = number + 1;
    return SYNTH_LIFE_LOG + synth_log_of(life) * SYNTH_RELATIONS + relation;
}

/* How the end of a long version stands to the long one before. */
static unsigned step_of(const struct learner *learner, uint32_t slot)
{
    unsigned later = learner->long_end == learner->versions ? 0 : SYNTH_STEPS / 2;
    for (unsigned way = SYNTH_YOUNGER; way <= SYNTH_OLDER; way++) {
        uint32_t at = learner->beside[way];
        for (unsigned i = 0; i < NEAR && at != NONE; i++) {
            if (at == slot)
                return way + later;
            const struct block *block = &learner->blocks[at];
            at = way == SYNTH_YOUNGER ? block->younger : block->older;
        }
    }
    return SYNTH_STRANGER + later;
}

static uint64_t fate_key(const struct block *block, unsigned segment, unsigned end)
{
    return pair(pair(pair(block->segment, block->size), segment), end);
}

static bool long_end(struct learner *learner, uint32_t slot, unsigned end)
{
    const struct block *block = &learner->blocks[slot];
    uint64_t *row = learner->profile->tables[SYNTH_SEGMENT].values +
                    learner->segment * synth_shapes[SYNTH_SEGMENT].columns;
    row[SEGMENT_STEPS + step_of(learner, slot)]++;
    learner->long_end = learner->versions;
    learner->beside[SYNTH_YOUNGER] = block->younger;
    learner->beside[SYNTH_OLDER] = block->older;
    return count_map_add(&learner->fates, fate_key(block, learner->segment, end), 1);
}

/* The version in op's slot ends. */
static bool version_end(struct learner *learner, const struct trace_op *op, enum synth_end end)
{
    struct block *block = &learner->blocks[op->slot];
    struct role *role = &learner->roles[block->role];
    bool lasted = is_long(learner, role, block->version, block->begun, block->segment);
    unsigned kind = synth_handover_kind(lasted, end == SYNTH_RESIZED);
    uint64_t who = pair(pair(block->role, kind), learner->role_of[op->thread]);
    bool ok = count_map_add(&learner->handovers, who, 1);
    if (lasted) {
        ok = ok && long_end(learner, op->slot, end);
    } else {
        struct version *version = &role->ring[block->version % RING];
        version->life = (uint8_t)life_of(role, block->version);
        version->end = (uint8_t)end;
    }
    learner->live -= block->bytes;
    list_remove(learner, op->slot);
    block->lives = false;
    return ok;
}

static bool block_change(struct learner *learner, const struct trace_op *op)
{
    unsigned before = learner->blocks[op->slot].size;
    if (trace_op_frees(op))
        return version_end(learner, op, op->kind == TRACE_FREE ? SYNTH_FREE : SYNTH_REALLOC_ZERO);
    return version_end(learner, op, SYNTH_RESIZED) && version_begin(learner, op, before);
}

/* The second pass. */
static bool op_follow(struct learner *learner, const struct trace_op *op)
{
    void *blocks = learner->blocks;
    size_t wanted = op->slot == TRACE_NO_SLOT ? 0 : (size_t)op->slot + 1;
    bool ok = pages_reserve(&blocks, &learner->blocks_capacity, sizeof *learner->blocks, wanted);
    learner->blocks = blocks;
    if (!ok)
        return false;
    learner->segment = (unsigned)(learner->ops * learner->segments / learner->totals->ops);
    uint64_t *row = learner->profile->tables[SYNTH_SEGMENT].values +
                    learner->segment * synth_shapes[SYNTH_SEGMENT].columns;
    uint64_t versions = learner->versions;
    row[SEGMENT_OPS]++;
    row[SEGMENT_NS] += op->time_ns - learner->time_ns;
    row[SEGMENT_NULLS] += op->kind == TRACE_FREE && op->flags & TRACE_NULL;
    learner->ops++;
    learner->time_ns = op->time_ns;
    if (op->flags & TRACE_FAILED)
        return true;
    if (trace_op_makes(op))
        ok = version_begin(learner, op, 0);
    else if (op->slot != TRACE_NO_SLOT)
        ok = block_change(learner, op);
    row[SEGMENT_VERSIONS] += learner->versions - versions;
    if (learner->live > row[SEGMENT_PEAK])
        row[SEGMENT_PEAK] = learner->live;
    return ok;
}

/* The first pass. */
static bool op_count(struct learner *learner, const struct trace_op *op)
{
    learner->ops_of[op->thread]++;
    bool begins = !(op->flags & TRACE_FAILED) && op->kind < TRACE_THREAD_START &&
                  op->kind != TRACE_FREE && !trace_op_frees(op);
    return !begins || count_map_add(&learner->sizes_asked, trace_op_bytes(op), 1);
}

/* The busiest threads have a role each, the others one together. */
static void roles_deal(struct learner *learner)
{
    memset(learner->role_of, SYNTH_ROLES - 1, learner->totals->threads);
    bool shares = learner->totals->threads > SYNTH_ROLES;
    for (unsigned role = 0;
         role < (unsigned)SYNTH_ROLES - shares && role < learner->totals->threads; role++) {
        size_t busiest = 0;
        for (size_t i = 1; i < learner->totals->threads; i++) {
            if (learner->ops_of[i] > learner->ops_of[busiest])
                busiest = i;
        }
        learner->role_of[busiest] = (uint8_t)role;
        learner->ops_of[busiest] = 0;
    }
}

/* Turns counts into rows, whose columns are in the key as `pair` put them there. Of more than
   `most`, those that were counted most often. */
static bool rows_from(struct synth_profile *profile, enum synth_table table, struct count_map *map,
                      size_t most)
{
    unsigned columns = synth_shapes[table].columns;
    size_t n = count_map_sort(map);
    for (size_t i = 0; i < n && i < most; i++) {
        uint64_t row[SYNTH_COLUMNS_MAX];
        uint64_t key = map->entries[i].key;
        row[columns - 1] = map->entries[i].count;
        for (unsigned c = columns - 1; c-- > 0; key >>= 16)
            row[c] = key & UINT16_MAX;
        if (!synth_add(profile, table, row))
            return false;
    }
    synth_sort(profile, table);
    return true;
}

static bool learner_finish(struct learner *learner)
{
    struct synth_profile *profile = learner->profile;
    bool ok = true;
    for (unsigned i = 0; ok && i < SYNTH_ROLES; i++)
        ok = role_count(learner, i, true);
    for (size_t i = 0; ok && i < learner->blocks_capacity; i++) {
        if (learner->blocks[i].lives)
            ok = count_map_add(&learner->fates,
                               fate_key(&learner->blocks[i], learner->segments, SYNTH_FREE), 1);
    }
    const size_t all = SIZE_MAX;
    return ok && rows_from(profile, SYNTH_BEGUN, &learner->begun, all) &&
           rows_from(profile, SYNTH_FATE, &learner->fates, all) &&
           rows_from(profile, SYNTH_SWITCH, &learner->switches, all) &&
           rows_from(profile, SYNTH_HANDOVER, &learner->handovers, all) &&
           rows_from(profile, SYNTH_AFTER_ONE, &learner->after_one, AFTER_MAX) &&
           rows_from(profile, SYNTH_AFTER_TWO, &learner->after_two, AFTER_MAX) &&
           rows_from(profile, SYNTH_GROWTH, &learner->growth, AFTER_MAX);
}

static bool learner_open(struct learner *learner, const struct trace_totals *totals)
{
    uint64_t segments = totals->ops / SEGMENT_OPS_MIN;
    const uint64_t *kinds = totals->by_kind;
    uint64_t versions = totals->ops - kinds[TRACE_FREE];
    learner->totals = totals;
    learner->segments = segments < 1                ? 1
                        : segments > SYNTH_SEGMENTS ? SYNTH_SEGMENTS
                                                    : (unsigned)segments;
    learner->short_max = versions / learner->segments;
    if (learner->short_max < SYNTH_EXACT)
        learner->short_max = SYNTH_EXACT;
    if (learner->short_max > SYNTH_SHORT_MAX)
        learner->short_max = SYNTH_SHORT_MAX;
    learner->youngest = learner->beside[0] = learner->beside[1] = NONE;
    learner->long_end = UINT64_MAX;
    learner->roles = pages_map(SYNTH_ROLES * sizeof *learner->roles);
    learner->ids = pages_map(ID_MAP * sizeof *learner->ids);
    learner->id_rows = pages_map(ID_MAP * sizeof *learner->id_rows);
    learner->role_of = pages_map(totals->threads + 1);
    learner->ops_of = pages_map((totals->threads + 1) * sizeof *learner->ops_of);
    if (learner->ops_of == NULL || learner->role_of == NULL || learner->roles == NULL ||
        learner->ids == NULL || learner->id_rows == NULL)
        return false;
    uint64_t row[SYNTH_COLUMNS_MAX] = {totals->ops, totals->threads, totals->final_slots,
                                       learner->short_max, kinds[TRACE_THREAD_END] > 0};
    bool ok = synth_add(learner->profile, SYNTH_TOTALS, row);
    for (unsigned i = 0; ok && i < learner->segments; i++)
        ok = synth_add(learner->profile, SYNTH_SEGMENT, (uint64_t[SYNTH_COLUMNS_MAX]){0});
    for (unsigned i = 0; ok && i < SYNTH_ROLES; i++)
        learner->roles[i].ended = UINT64_MAX;
    return ok;
}

static void learner_close(struct learner *learner)
{
    struct count_map *maps[] = {&learner->sizes_asked, &learner->begun,     &learner->fates,
                                &learner->switches,    &learner->handovers, &learner->after_one,
                                &learner->after_two,   &learner->growth};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        count_map_close(maps[i]);
    pages_unmap(learner->roles, SYNTH_ROLES * sizeof *learner->roles);
    pages_unmap(learner->ids, ID_MAP * sizeof *learner->ids);
    pages_unmap(learner->id_rows, ID_MAP * sizeof *learner->id_rows);
    if (learner->totals != NULL) {
        pages_unmap(learner->role_of, learner->totals->threads + 1);
        pages_unmap(learner->ops_of, (learner->totals->threads + 1) * sizeof *learner->ops_of);
    }
    pages_unmap(learner->blocks, learner->blocks_capacity * sizeof *learner->blocks);
}

typedef bool (*op_rule)(struct learner *learner, const struct trace_op *op);

/* Takes all operations of the reader; NULL, or what went wrong. */
static const char *pass(struct learner *learner, struct trace_reader *reader, op_rule rule)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    size_t n;
    do {
        if (!trace_reader_next(reader, ops, &n))
            return trace_reader_error(reader);
        for (size_t i = 0; i < n; i++) {
            if (!rule(learner, &ops[i]))
                return strerror(errno);
        }
    } while (n > 0);
    return NULL;
}

/* One pass over the file; NULL, or what went wrong, in `error`. */
static const char *file_pass(struct learner *learner, const char *path, op_rule rule,
                             char error[TRACE_ERROR_MAX])
{
    struct trace_reader *reader = trace_reader_open(path, error);
    if (reader == NULL)
        return error;
    static struct trace_totals totals;
    totals = *trace_reader_totals(reader);
    bool opened = learner->totals != NULL || learner_open(learner, &totals);
    const char *fault = opened ? pass(learner, reader, rule) : strerror(errno);
    if (fault != NULL && fault != error)
        snprintf(error, TRACE_ERROR_MAX, "%.400s", fault);
    trace_reader_close(reader);
    return fault == NULL ? NULL : error;
}

bool synth_learn(struct synth_profile *profile, const char *path, char error[TRACE_ERROR_MAX])
{
    static struct learner learner;
    learner = (struct learner){.profile = profile};
    bool ok = file_pass(&learner, path, op_count, error) == NULL;
    if (ok) {
        roles_deal(&learner);
        ok = synth_sizes_choose(&learner.sizes, profile, &learner.sizes_asked);
        if (!ok)
            snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
    }
    ok = ok && file_pass(&learner, path, op_follow, error) == NULL;
    if (ok && !learner_finish(&learner)) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        ok = false;
    }
    learner_close(&learner);
    const char *fault = ok ? synth_profile_fault(profile) : NULL;
    if (fault != NULL)
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, fault);
    return ok && fault == NULL;
}
