/*
 * The tables of a profile: rows in memory, their order, and what must hold of them.
 */
#include "synth_profile.h"

#include "pages.h"

#include <stdlib.h>
#include <string.h>

const struct synth_table_shape synth_shapes[SYNTH_TABLES] = {
    {"totals", 5, {COLUMN_COUNT, COLUMN_COUNT, COLUMN_COUNT, COLUMN_COUNT, COLUMN_FLAG}},
    {"sizes", 3, {COLUMN_BYTES, COLUMN_BYTES, COLUMN_BYTES}},
    {"symbols", 6, {COLUMN_ROLE, COLUMN_CALL, COLUMN_ALIGN, COLUMN_SIZE, COLUMN_LIFE, COLUMN_END}},
    {"segments",
     11,
     {COLUMN_COUNT, COLUMN_COUNT, COLUMN_TIME, COLUMN_COUNT, COLUMN_TIME, COLUMN_COUNT,
      COLUMN_COUNT, COLUMN_COUNT, COLUMN_COUNT, COLUMN_COUNT, COLUMN_COUNT}},
    {"begun", 3, {COLUMN_SEGMENT, COLUMN_SYMBOL, COLUMN_COUNT}},
    {"fates", 5, {COLUMN_SEGMENT, COLUMN_SIZE, COLUMN_FATE, COLUMN_END, COLUMN_COUNT}},
    {"switches", 3, {COLUMN_ROLE, COLUMN_ROLE, COLUMN_COUNT}},
    {"handovers", 4, {COLUMN_ROLE, COLUMN_HANDOVER, COLUMN_ROLE, COLUMN_COUNT}},
    {"after_one", 3, {COLUMN_SYMBOL, COLUMN_SYMBOL, COLUMN_COUNT}},
    {"after_two", 4, {COLUMN_SYMBOL, COLUMN_SYMBOL, COLUMN_SYMBOL, COLUMN_COUNT}},
    {"growth", 4, {COLUMN_ROLE, COLUMN_SIZE, COLUMN_SYMBOL, COLUMN_COUNT}},
};

/* Arbitrary, well above any program's. Sums of rows stay below 2^63. */
enum { BYTES_LOG_MAX = 42, COUNT_LOG_MAX = 40, TIME_LOG_MAX = 56, ALIGN_LOG_MAX = 30 };

bool synth_add(struct synth_profile *profile, enum synth_table table, const uint64_t *row)
{
    struct synth_rows *rows = &profile->tables[table];
    unsigned columns = synth_shapes[table].columns;
    void *values = rows->values;
    if (!pages_reserve(&values, &rows->capacity, columns * sizeof *row, rows->count + 1))
        return false;
    rows->values = values;
    memcpy(rows->values + rows->count++ * columns, row, columns * sizeof *row);
    return true;
}

static int row_compare(const void *a, const void *b, void *cookie)
{
    const uint64_t *left = a, *right = b;
    const unsigned *columns = cookie;
    for (unsigned i = 0; i < *columns; i++) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

void synth_sort(struct synth_profile *profile, enum synth_table table)
{
    struct synth_rows *rows = &profile->tables[table];
    unsigned columns = synth_shapes[table].columns;
    if (rows->count > 0)
        qsort_r(rows->values, rows->count, columns * sizeof(uint64_t), row_compare, &columns);
}

size_t synth_find(const struct synth_profile *profile, enum synth_table table, const uint64_t *key,
                  unsigned n)
{
    size_t low = 0, high = synth_count(profile, table);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (row_compare(synth_row(profile, table, middle), key, &n) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void synth_profile_close(struct synth_profile *profile)
{
    for (int i = 0; i < SYNTH_TABLES; i++) {
        struct synth_rows *rows = &profile->tables[i];
        pages_unmap(rows->values, rows->capacity * synth_shapes[i].columns * sizeof(uint64_t));
    }
    *profile = (struct synth_profile){0};
}

unsigned synth_log_of(uint64_t life)
{
    unsigned octave = synth_bits(life) - synth_bits(SYNTH_EXACT);
    unsigned half = life >> (octave + synth_bits(SYNTH_EXACT) - 2) & 1;
    return 2 * octave + half;
}

uint64_t synth_log_start(unsigned log)
{
    return (uint64_t)(SYNTH_EXACT + (log & 1) * SYNTH_EXACT / 2) << log / 2;
}

static uint64_t column_limit(const struct synth_profile *profile, enum synth_column column)
{
    switch (column) {
    case COLUMN_ROLE:
        return SYNTH_ROLES;
    case COLUMN_CALL:
        return SYNTH_RESIZE + 1;
    case COLUMN_ALIGN:
        return ALIGN_LOG_MAX;
    case COLUMN_SIZE:
        return synth_count(profile, SYNTH_SIZE);
    case COLUMN_LIFE:
        return SYNTH_LIVES;
    case COLUMN_END:
        return SYNTH_ENDS;
    case COLUMN_SYMBOL:
        return synth_count(profile, SYNTH_SYMBOL);
    case COLUMN_SEGMENT:
        return synth_count(profile, SYNTH_SEGMENT);
    case COLUMN_FATE:
        return synth_count(profile, SYNTH_SEGMENT) + 1;
    case COLUMN_HANDOVER:
        return 4;
    case COLUMN_FLAG:
        return 2;
    case COLUMN_BYTES:
        return UINT64_C(1) << BYTES_LOG_MAX;
    case COLUMN_TIME:
        return UINT64_C(1) << TIME_LOG_MAX;
    default:
        return UINT64_C(1) << COUNT_LOG_MAX;
    }
}

/* Every value below its column's limit, rows in order where they are searched for. */
static const char *table_fault(const struct synth_profile *profile, enum synth_table table)
{
    const struct synth_table_shape *shape = &synth_shapes[table];
    unsigned columns = shape->columns;
    for (size_t i = 0; i < synth_count(profile, table); i++) {
        const uint64_t *row = synth_row(profile, table, i);
        for (unsigned c = 0; c < columns; c++) {
            if (row[c] >= column_limit(profile, shape->column[c]))
                return "a value is out of range";
        }
        if (table >= SYNTH_BEGUN && i > 0 && row_compare(row - columns, row, &columns) >= 0)
            return "rows are not in ascending order";
    }
    return NULL;
}

static bool call_makes(uint64_t call)
{
    return call < TRACE_FREE || (call > TRACE_FREE && call < TRACE_THREAD_START);
}

static const char *symbols_fault(const struct synth_profile *profile)
{
    for (size_t i = 0; i < synth_count(profile, SYNTH_SYMBOL); i++) {
        const uint64_t *symbol = synth_row(profile, SYNTH_SYMBOL, i);
        if (!call_makes(symbol[SYMBOL_CALL]) && symbol[SYMBOL_CALL] != SYNTH_RESIZE)
            return "symbols: a call that begins no block";
    }
    for (size_t i = 0; i < synth_count(profile, SYNTH_SIZE); i++) {
        const uint64_t *size = synth_row(profile, SYNTH_SIZE, i);
        if (size[0] > size[2] || size[2] > size[1])
            return "sizes: a mean is not in its range";
    }
    return NULL;
}

/* Whether any block is made at all: else there is nothing to make a trace of. */
static bool profile_makes(const struct synth_profile *profile)
{
    for (size_t i = 0; i < synth_count(profile, SYNTH_BEGUN); i++) {
        const uint64_t *begun = synth_row(profile, SYNTH_BEGUN, i);
        const uint64_t *symbol = synth_row(profile, SYNTH_SYMBOL, begun[1]);
        if (symbol[SYMBOL_CALL] != SYNTH_RESIZE && begun[2] > 0)
            return true;
    }
    return false;
}

const char *synth_profile_fault(const struct synth_profile *profile)
{
    static char fault[96];
    if (synth_count(profile, SYNTH_TOTALS) != 1)
        return "totals: not one row";
    if (synth_count(profile, SYNTH_SYMBOL) > SYNTH_SYMBOLS ||
        synth_count(profile, SYNTH_SIZE) > SYNTH_SIZES ||
        synth_count(profile, SYNTH_SEGMENT) > SYNTH_SEGMENTS)
        return "more sizes, symbols or segments than there may be";
    for (int i = 0; i < SYNTH_TABLES; i++) {
        const char *what = table_fault(profile, i);
        if (what != NULL) {
            strcpy(fault, synth_shapes[i].name);
            strcat(strcat(fault, ": "), what);
            return fault;
        }
    }
    const char *what = symbols_fault(profile);
    if (what != NULL)
        return what;
    uint64_t threads = synth_total(profile, SYNTH_THREADS);
    uint64_t short_max = synth_total(profile, SYNTH_SHORT);
    if (synth_total(profile, SYNTH_OPS) == 0 ||
        synth_total(profile, SYNTH_LEFT) > synth_total(profile, SYNTH_OPS) || threads == 0 ||
        threads > TRACE_THREADS_MAX || short_max < SYNTH_EXACT || short_max > SYNTH_SHORT_MAX)
        return "totals: a value is out of range";
    return profile_makes(profile) ? NULL : "no block is made";
}
