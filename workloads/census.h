/*
 * Counts over all operations of a trace, taken one after the other: sizes, lifetimes, reallocs, who
 * frees whose, the live curve. How they are printed is not known here. Memory is bounded by the
 * blocks live at once, the threads, and the sizes and pairs of threads that occur.
 */
#ifndef WORKLOADS_CENSUS_H
#define WORKLOADS_CENSUS_H

#include "count_map.h"
#include "trace.h"

enum {
    CENSUS_BUCKETS = 65,          /* by number of bits: 0, 1, 2-3, 4-7, ... */
    CENSUS_EXACT_BYTES = 1 << 20, /* sizes below this are counted in an array */
    CENSUS_POINTS = 500,          /* of the live curve, at most; arbitrary */
};

/* A live block. */
struct census_block {
    uint64_t bytes;
    uint64_t made;      /* allocations before it was made */
    uint64_t made_op;   /* number of the operation that made it */
    uint64_t requested; /* bytes that all requests until then asked for, its own included */
    uint32_t owner;     /* thread that made or last resized it */
    uint32_t resizes;
};

/* What was live between two points. */
struct census_point {
    uint64_t ops;     /* operations up to here */
    uint64_t time_ns; /* of the last of them */
    uint64_t live;    /* bytes after it */
    uint64_t peak;    /* most bytes since the point before */
    uint64_t blocks;  /* live after it */
};

/* Distribution of a lifetime, of the blocks that were freed. */
struct census_lifetimes {
    uint64_t buckets[CENSUS_BUCKETS];
    double sum; /* a double: bytes times blocks can be more than 64 bits count */
};

/* Reallocs that succeeded and are of a block (not of NULL), by what they did. */
struct census_reallocs {
    uint64_t grow, shrink, same, to_zero;
    uint64_t bytes_grown;             /* sum of what growing ones added */
    uint64_t resizes[CENSUS_BUCKETS]; /* blocks (freed or not) by how often they were resized */
    uint64_t failed;
    uint64_t of_null;
};

struct census {
    struct census_block *blocks; /* by slot */
    size_t blocks_capacity;
    uint64_t *threads; /* operations by thread */
    size_t threads_capacity;
    uint64_t *exact;        /* requests by size, CENSUS_EXACT_BYTES of them */
    struct count_map large; /* requests of larger sizes */
    struct count_map pairs; /* frees and resizes: owner << 32 | who */
    uint64_t sizes[CENSUS_BUCKETS];
    struct census_lifetimes in_allocations, in_ops, in_bytes;
    struct census_reallocs reallocs;
    uint64_t failed[TRACE_KINDS]; /* calls that failed, by kind */
    uint64_t allocations;         /* calls that made a block */
    uint64_t freed;               /* blocks */
    uint64_t requested;           /* bytes */
    uint64_t ops;
    uint64_t live, live_blocks;
    uint64_t peak, peak_op, peak_time_ns, peak_blocks; /* first moment of most bytes live */
    struct census_point points[CENSUS_POINTS];
    size_t points_used;
    uint64_t point_ops; /* operations from one point to the next */
};

/* For a trace of so many operations. false and errno when memory is out. */
bool census_open(struct census *census, uint64_t ops);
bool census_add(struct census *census, const struct trace_op *op);
/* Counts what is known only at the end. */
void census_end(struct census *census);
void census_close(struct census *census);

#endif
