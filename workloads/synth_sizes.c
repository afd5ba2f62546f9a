/*
 * Ranges are as narrow as what fell into them.
 */
#include "synth_sizes.h"

#include <stdlib.h>

static unsigned class_of(uint64_t bytes)
{
    unsigned bits = synth_bits(bytes);
    unsigned quarter = bits < 3 ? (unsigned)bytes & 3 : bytes >> (bits - 3) & 3;
    return bits * 4 + quarter;
}

/* Makes the range of a class as wide as this size needs. */
static bool class_widen(struct synth_sizes *sizes, struct synth_profile *profile, uint64_t bytes,
                        double requests)
{
    unsigned class = class_of(bytes);
    uint16_t *row = &sizes->of_class[class];
    if (*row == 0) {
        *row = (uint16_t)(synth_count(profile, SYNTH_SIZE) + 1);
        if (!synth_add(profile, SYNTH_SIZE, (uint64_t[]){bytes, bytes, bytes}))
            return false;
    }
    uint64_t *range = profile->tables[SYNTH_SIZE].values + 3 * (*row - 1u);
    range[0] = bytes < range[0] ? bytes : range[0];
    range[1] = bytes > range[1] ? bytes : range[1];
    sizes->bytes[class] += (double)bytes * requests;
    sizes->requests[class] += requests;
    uint64_t mean = (uint64_t)(sizes->bytes[class] / sizes->requests[class]);
    range[2] = mean < range[0] ? range[0] : mean > range[1] ? range[1] : mean;
    return true;
}

/* By bytes, the most first; of equal ones the smaller size. */
static int weight_compare(const void *a, const void *b)
{
    const struct count *left = a, *right = b;
    double difference =
        (double)right->key * (double)right->count - (double)left->key * (double)left->count;
    if (difference != 0)
        return difference > 0 ? 1 : -1;
    return (left->key > right->key) - (left->key < right->key);
}

/* Beyond the most keys that are counted there may be sizes that nobody saw. */
static bool classes_fill(struct synth_sizes *sizes, struct synth_profile *profile)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        uint64_t bytes = bits == 0 ? 0 : UINT64_C(1) << (bits - 1);
        for (uint64_t quarter = 0; quarter < 4; quarter++) {
            if (!class_widen(sizes, profile, bytes + quarter * (bytes / 4), 1))
                return false;
        }
    }
    return true;
}

bool synth_sizes_choose(struct synth_sizes *sizes, struct synth_profile *profile,
                        struct count_map *counts)
{
    size_t n = count_map_sort(counts);
    size_t common = n < SYNTH_COMMON ? n : SYNTH_COMMON;
    struct count *entries = counts->entries;
    *sizes = (struct synth_sizes){
        .exact = n < SYNTH_COMMON + SYNTH_WEIGHTY ? n : SYNTH_COMMON + SYNTH_WEIGHTY};
    if (n > common)
        qsort(entries + common, n - common, sizeof *entries, weight_compare);
    for (size_t i = 0; i < sizes->exact; i++) {
        uint64_t bytes = entries[i].key;
        if (!synth_add(profile, SYNTH_SIZE, (uint64_t[]){bytes, bytes, bytes}))
            return false;
    }
    synth_sort(profile, SYNTH_SIZE);
    for (size_t i = sizes->exact; i < n; i++) {
        if (!class_widen(sizes, profile, entries[i].key, (double)entries[i].count))
            return false;
    }
    return counts->rest == 0 || classes_fill(sizes, profile);
}

unsigned synth_sizes_find(const struct synth_sizes *sizes, const struct synth_profile *profile,
                          uint64_t bytes)
{
    size_t low = 0, high = sizes->exact;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (synth_row(profile, SYNTH_SIZE, middle)[0] < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < sizes->exact && synth_row(profile, SYNTH_SIZE, low)[0] == bytes)
        return (unsigned)low;
    unsigned row = sizes->of_class[class_of(bytes)];
    return row > 0 ? row - 1 : (unsigned)low % (unsigned)synth_count(profile, SYNTH_SIZE);
}
