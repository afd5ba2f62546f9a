/*
 * Turns calls that name blocks by address (or by any other 64-bit key) into a trace: finds the live
 * block at an address, counts what cannot be known (frees of blocks never seen), numbers threads,
 * repairs what a recording may have inverted. Recordings and importers both end here.
 */
#ifndef WORKLOADS_BUILDER_H
#define WORKLOADS_BUILDER_H

#include "call.h"

struct builder;

/* As trace_writer_open_columns. */
struct builder *builder_open(const char *path, const char *origin, unsigned columns,
                             char error[TRACE_ERROR_MAX]);
/* As trace_writer_sites. */
void builder_sites(struct builder *builder, const struct sites *sites);
/*
 * Appends a call. A free of an unknown address is counted and dropped, a realloc of an unknown
 * address becomes an allocation and is counted. An allocation at an address still live means
 * that a free was not seen: it is inserted before, and counted as repaired. A failed call (result 0
 * where that means failure; never for free, realloc(p, 0)) is kept with TRACE_FAILED.
 * false: builder_error tells.
 */
bool builder_add(struct builder *builder, const struct call *call);
/*
 * From now on an allocation at an address that still lives is held back until the next free or
 * realloc of that address, which made it available, and counted as repaired: for files whose
 * threads' lines raced.
 */
void builder_hold_races(struct builder *builder);
/* What is held back has its place here, since no free came: as without builder_hold_races. */
bool builder_release_races(struct builder *builder);
/* Whether a block lives at this address; then *bytes is what was asked for it. */
bool builder_find(const struct builder *builder, uint64_t address, uint64_t *bytes);
/*
 * Ends the trace. `losses`: further "key=value" lines, may be empty; the builder adds its own
 * counts (unknown_frees, unknown_reallocs, repaired_inversions).
 */
bool builder_finish(struct builder *builder, const char *losses, char error[TRACE_ERROR_MAX]);
void builder_abandon(struct builder *builder);
const char *builder_error(const struct builder *builder);

/* Counts so far, for closing messages. */
struct builder_counts {
    uint64_t ops;
    uint64_t threads;
    uint64_t unknown_frees;
    uint64_t unknown_reallocs;
    uint64_t repaired_inversions;
};
struct builder_counts builder_counts(const struct builder *builder);

#endif
