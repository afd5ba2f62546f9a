/*
 * What of a profile's counts is still to come in the present segment, and draws from it: without
 * putting back, so that a segment of the new trace has what the original's has, in an order that
 * follows what came after what there.
 */
#ifndef WORKLOADS_SYNTH_QUOTA_H
#define WORKLOADS_SYNTH_QUOTA_H

#include "prng.h"
#include "synth_profile.h"

enum { SYNTH_NONE = UINT32_MAX };

struct synth_quota {
    const struct synth_profile *profile;
    struct prng prng;
    double scale;   /* versions here for each of the original's */
    double rest[2]; /* fractions of a version and of a fate not yet given out */
    /* By symbol. Of resized versions what one segment had too many or too few, since ends come a
       little early or late, is settled in the next one. */
    int64_t left[SYNTH_SYMBOLS];
    double often[SYNTH_SYMBOLS];     /* by symbol: count in the whole profile */
    uint64_t *fates_left;            /* by row of SYNTH_FATE */
    uint64_t role_left[SYNTH_ROLES]; /* blocks to be made */
    uint64_t makes_left;             /* the same, of all roles */
    double role_often[SYNTH_ROLES];  /* as `often` */
    size_t first, end;               /* rows of SYNTH_BEGUN of the segment */
    unsigned segment;
};

/* false and errno when memory is out. */
bool synth_quota_open(struct synth_quota *quota, const struct synth_profile *profile,
                      uint64_t seed);
void synth_quota_close(struct synth_quota *quota);
/* Another segment begins. */
void synth_quota_enter(struct synth_quota *quota, unsigned segment);

/* The role that makes the next block, after this one. Some are left. */
unsigned synth_draw_role(struct synth_quota *quota, unsigned role);
/* The symbol of the block that this role makes next, after those two (1 + symbol, 0: none). */
uint32_t synth_draw_make(struct synth_quota *quota, unsigned role, const uint32_t last[2]);
/* The symbol of a resized version; SYNTH_NONE: no block of that size was ever resized. */
uint32_t synth_draw_growth(struct synth_quota *quota, unsigned role, unsigned size);
/* When and how a long version of this size ends: *segment is the number of segments for never. */
void synth_draw_fate(struct synth_quota *quota, unsigned size, unsigned *segment, unsigned *end);
/* The role that ends a version of this one, by synth_handover_kind. */
unsigned synth_draw_ender(struct synth_quota *quota, unsigned role, unsigned kind);
/* Bytes of a size of the profile. */
uint64_t synth_draw_bytes(struct synth_quota *quota, unsigned size);

#endif
