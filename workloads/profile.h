/*
 * A profile: how often a program asks for which sizes and how long blocks live. A text file; each
 * line is `size FROM TO COUNT` (bytes) or `lifetime FROM TO COUNT` (blocks made meanwhile), both
 * ends included, empty, or a comment after `#`. Read without malloc.
 */
#ifndef WORKLOADS_PROFILE_H
#define WORKLOADS_PROFILE_H

#include "prng.h"

#include <stdbool.h>

enum { PROFILE_CLASSES_MAX = 256, PROFILE_ERROR_MAX = 512 };

/* Ranges that are drawn by their weight: Walker's alias method. */
struct distribution {
    unsigned count; /* of ranges */
    uint64_t from[PROFILE_CLASSES_MAX];
    uint64_t to[PROFILE_CLASSES_MAX];
    double weight[PROFILE_CLASSES_MAX];  /* the share of a column that is its own, of 1 */
    unsigned other[PROFILE_CLASSES_MAX]; /* whose the rest of the column is */
};

struct profile {
    struct distribution sizes;
    struct distribution lifetimes;
};

/* false: "PATH: what" in error. */
bool profile_read(struct profile *profile, const char *path, char error[PROFILE_ERROR_MAX]);
/* A value of the distribution; within a range all are as likely. */
uint64_t distribution_draw(const struct distribution *distribution, struct prng *prng);

#endif
