/*
 * The profile of a trace: counts from which a trace with the same statistics can be made, without
 * any of the program's own sequence of calls. A set of tables of whole numbers; as a file it is one
 * JSON object with an array of rows for each table (docs/trace-format.md says what they reveal).
 *
 * Words of this file. version: a block from the call that made or resized it to the one that
 * resizes or frees it. clock of a role: versions that it began so far. life of a version: how far
 * its role's clock went from its beginning to its end. segment: a stretch of the trace; all have as
 * many operations. role: a thread, or all threads that do little. symbol: a kind of version: role,
 * call, alignment, size and life.
 */
#ifndef WORKLOADS_SYNTH_PROFILE_H
#define WORKLOADS_SYNTH_PROFILE_H

#include "trace.h"

enum {
    SYNTH_SEGMENTS = 64, /* at most; more follow the level closer and make larger profiles */
    SYNTH_ROLES = 16,    /* the last is shared by threads beyond */
    SYNTH_SYMBOLS = 1 << 14,
    SYNTH_SIZES = 1 << 10,
    SYNTH_SHORT_MAX = 4096,     /* longest life that is counted exactly or by its logarithm */
    SYNTH_RESIZE = TRACE_KINDS, /* as a symbol's call: resizes a block. TRACE_REALLOC: of NULL */
};

/* How a version ends. */
enum synth_end { SYNTH_FREE, SYNTH_REALLOC_ZERO, SYNTH_RESIZED, SYNTH_ENDS };

/*
 * A life is a number below SYNTH_LIVES:
 *   2n + o        ended n versions later, n < 16; o: before others that ended at that moment
 *                 (SYNTH_BEFORE), or behind them
 *   from SYNTH_LIFE_LOG on: by half octaves, with a relation to the block that ended before
 *   SYNTH_LIFE_LONG   longer than any of these: the table of fates has when
 */
enum {
    SYNTH_EXACT = 16,
    SYNTH_BEFORE = 1,
    SYNTH_LIFE_LOG = 2 * SYNTH_EXACT,
    SYNTH_RELATIONS = 3, /* alone, or with the younger neighbour's death: behind, before it */
    SYNTH_LOGS = 16,     /* half octaves from SYNTH_EXACT to SYNTH_SHORT_MAX */
    SYNTH_LIFE_LONG = SYNTH_LIFE_LOG + SYNTH_LOGS * SYNTH_RELATIONS,
    SYNTH_LIVES,
};
enum synth_relation { SYNTH_ALONE, SYNTH_BEHIND, SYNTH_AHEAD };

/* How a long version's end stands to the long one that ended before it: its neighbour in age, the
   younger or the older one, or none; and whether a version began in between. */
enum { SYNTH_YOUNGER, SYNTH_OLDER, SYNTH_STRANGER, SYNTH_STEPS = 6 /* + 3: later */ };

/* The tables and their columns; the last one of a row that counts is the count. */
enum synth_table {
    SYNTH_TOTALS,    /* ops, threads, blocks live at the end, longest short life, ends of threads */
    SYNTH_SIZE,      /* least, most, mean bytes; named by row */
    SYNTH_SYMBOL,    /* role, call, log2 of alignment, size, life, end; named by row */
    SYNTH_SEGMENT,   /* ops, versions, ns, free(NULL), most bytes live, 6 counts of steps */
    SYNTH_BEGUN,     /* segment, symbol, count */
    SYNTH_FATE,      /* segment, size, segment of the end (their number: never), end, count */
    SYNTH_SWITCH,    /* role, role that makes the next block, count */
    SYNTH_HANDOVER,  /* role, synth_handover_kind, role that ends such a version, count */
    SYNTH_AFTER_ONE, /* symbol made before by the same role, symbol, count */
    SYNTH_AFTER_TWO, /* two symbols made before, symbol, count */
    SYNTH_GROWTH,    /* role, size before, symbol of the resized version, count */
    SYNTH_TABLES,
};
enum { SYNTH_COLUMNS_MAX = 11 };

/* What a column's values are: each is below a limit. */
enum synth_column {
    COLUMN_NONE,
    COLUMN_COUNT,
    COLUMN_BYTES,
    COLUMN_TIME,
    COLUMN_ROLE,
    COLUMN_CALL,
    COLUMN_ALIGN,
    COLUMN_SIZE,
    COLUMN_LIFE,
    COLUMN_END,
    COLUMN_SYMBOL,
    COLUMN_SEGMENT,
    COLUMN_FATE,
    COLUMN_HANDOVER,
    COLUMN_FLAG,
};

struct synth_table_shape {
    const char *name;
    unsigned columns;
    enum synth_column column[SYNTH_COLUMNS_MAX];
};
extern const struct synth_table_shape synth_shapes[SYNTH_TABLES];

/* Rows one after the other. */
struct synth_rows {
    uint64_t *values;
    size_t capacity;
    size_t count; /* rows */
};

struct synth_profile {
    struct synth_rows tables[SYNTH_TABLES];
};

enum synth_total { SYNTH_OPS, SYNTH_THREADS, SYNTH_LEFT, SYNTH_SHORT, SYNTH_THREAD_ENDS };

static inline const uint64_t *synth_row(const struct synth_profile *profile, enum synth_table table,
                                        size_t row)
{
    return profile->tables[table].values + row * synth_shapes[table].columns;
}

static inline size_t synth_count(const struct synth_profile *profile, enum synth_table table)
{
    return profile->tables[table].count;
}

static inline uint64_t synth_total(const struct synth_profile *profile, enum synth_total total)
{
    return synth_row(profile, SYNTH_TOTALS, 0)[total];
}

/* Columns of SYNTH_SEGMENT. */
enum { SEGMENT_OPS, SEGMENT_VERSIONS, SEGMENT_NS, SEGMENT_NULLS, SEGMENT_PEAK, SEGMENT_STEPS };
/* Columns of SYNTH_SYMBOL. */
enum { SYMBOL_ROLE, SYMBOL_CALL, SYMBOL_ALIGN, SYMBOL_SIZE, SYMBOL_LIFE, SYMBOL_END };

/* Adds a row of the table's columns; false and errno when memory is out. */
bool synth_add(struct synth_profile *profile, enum synth_table table, const uint64_t *row);
/* Sorts the rows of a table by their columns, the first one first. */
void synth_sort(struct synth_profile *profile, enum synth_table table);
/* The first row whose first n columns are not below key's, in a sorted table. */
size_t synth_find(const struct synth_profile *profile, enum synth_table table, const uint64_t *key,
                  unsigned n);
void synth_profile_close(struct synth_profile *profile);

/* The half octave of a life from SYNTH_EXACT on, and the shortest life in it. */
unsigned synth_log_of(uint64_t life);
uint64_t synth_log_start(unsigned log);
/* Versions that are alike in who ends them. */
static inline unsigned synth_handover_kind(bool is_long, bool resized)
{
    return is_long + 2u * resized;
}
/* 0 for 0, else the number of bits. */
static inline unsigned synth_bits(uint64_t n)
{
    return n == 0 ? 0 : 64 - (unsigned)__builtin_clzll(n);
}

/* NULL, or what is wrong with the tables as a whole: limits of columns, order, totals. */
const char *synth_profile_fault(const struct synth_profile *profile);

/* Writes the profile as JSON to `path` ("-": standard output). false: "PATH: what" in error. */
bool synth_profile_write(const struct synth_profile *profile, const char *path,
                         char error[TRACE_ERROR_MAX]);
/* Whether a file begins as a profile does, and not as a trace. */
bool synth_profile_is(const char *path);
/* Reads one; any text that is none is told. false: "PATH: line N: what" in error. */
bool synth_profile_read(struct synth_profile *profile, const char *path,
                        char error[TRACE_ERROR_MAX]);

#endif
