/*
 * Counts by key, for keys that are too many for an array and that nobody knows beforehand. Bounded:
 * beyond COUNT_MAP_KEYS keys, those that are new are counted together.
 */
#ifndef WORKLOADS_COUNT_MAP_H
#define WORKLOADS_COUNT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COUNT_MAP_KEYS = 1 << 20 };

/* A key and how often it came. */
struct count {
    uint64_t key;
    uint64_t count; /* 0: the entry is empty */
};

/* Open addressing with linear probing. All zero is an empty map. */
struct count_map {
    struct count *entries;
    size_t size; /* a power of two, or 0; at most two thirds are in use */
    size_t used;
    uint64_t rest; /* counts of keys for which there was no room */
};

/* false and errno when memory is out. */
bool count_map_add(struct count_map *map, uint64_t key, uint64_t n);
/* Sorts the entries in place, the largest count first, of equal ones the smallest key; returns how
   many there are. The map can only be closed afterwards. */
size_t count_map_sort(struct count_map *map);
void count_map_close(struct count_map *map);

#endif
