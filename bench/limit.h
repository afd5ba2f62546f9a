/*
 * A limit on the memory that the allocator may take during a replay, and a ledger that tells how
 * far the replay came even if the system kills it. Memory is limited by a memory cgroup that the
 * caller has made, or, without one, address space by RLIMIT_AS. What the process had before counts
 * against neither, the allocator's own initial memory excepted.
 */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include "footprint.h"

#include <stdatomic.h>

/* A file of the caller's, mapped shared. In the byte order of the machine. */
struct limit_ledger {
    _Atomic uint64_t has_begun; /* 1: the process is under the limit, or was */
    _Atomic uint64_t ops;       /* steps that were executed under it, at least */
    _Atomic int64_t live;       /* requested bytes that lived then */
};

struct limit {
    uint64_t bytes;
    const char *group; /* folder of the cgroup; NULL: RLIMIT_AS */
    struct limit_ledger *ledger;
};

/* Maps the ledger at `path`, a file that need not be there. false and errno. */
bool limit_open(struct limit *limit, uint64_t bytes, const char *group, const char *path);
/*
 * From now on the limit holds. To be called when all of the harness's memory is mapped and faulted
 * in, and after footprint_begin_part. false, errno and the file (or "RLIMIT_AS") in *what.
 */
bool limit_enter(struct limit *limit, const struct footprint *footprint, const char **what);
/* Lifts it, so that the harness can tell the outcome. */
void limit_leave(const struct limit *limit);
/* Writes down how far the replay has come. */
void limit_note(struct limit *limit, uint64_t ops, int64_t live);

#endif
