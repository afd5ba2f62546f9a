/*
 * The sizes of a profile: the commonest ones and those that make up the most bytes as they are, the
 * others by ranges of a quarter octave with their mean.
 */
#ifndef WORKLOADS_SYNTH_SIZES_H
#define WORKLOADS_SYNTH_SIZES_H

#include "count_map.h"
#include "synth_profile.h"

enum {
    SYNTH_COMMON = 256,  /* sizes that are asked for most often */
    SYNTH_WEIGHTY = 128, /* of the others, those that make up the most bytes */
    SYNTH_CLASSES = 65 * 4,
};

struct synth_sizes {
    size_t exact;                     /* rows of sizes that stand for one, the first ones */
    uint16_t of_class[SYNTH_CLASSES]; /* 1 + row; 0: no such size but the exact ones */
    double bytes[SYNTH_CLASSES];      /* in all, and requests, of a class */
    double requests[SYNTH_CLASSES];
};

/* Fills the table of sizes from how often each was asked for; `counts` can only be closed
   afterwards. false and errno when memory is out. */
bool synth_sizes_choose(struct synth_sizes *sizes, struct synth_profile *profile,
                        struct count_map *counts);
/* The row of a size that was counted. */
unsigned synth_sizes_find(const struct synth_sizes *sizes, const struct synth_profile *profile,
                          uint64_t bytes);

#endif
