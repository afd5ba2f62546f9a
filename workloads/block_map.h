/*
 * Live blocks by address and running threads by number: an open hash table of what a builder knows.
 * Private to the builder.
 */
#ifndef WORKLOADS_BLOCK_MAP_H
#define WORKLOADS_BLOCK_MAP_H

#include "trace_format.h"

/* A live block, or a running thread: then `thread` is its number in the trace. */
struct entry {
    uint64_t key;
    struct live_block block; /* serial 0: the entry is empty */
};

/* Open addressing with linear probing and backward-shift deletion (no tombstones: programs free as
   often as they allocate). */
struct map {
    struct entry *entries;
    size_t size; /* a power of two, or 0 */
    size_t count;
};

void map_close(struct map *map);
/* Doubles the map; false and errno when memory is out. */
bool map_grow(struct map *map);

/* Fibonacci hashing, small neighbours in memory side by side: programs make and free them one after
   the other. Measured with a million live blocks: up to twice as fast as scattering each. */
static inline size_t key_home(const struct map *map, uint64_t key)
{
    size_t line = (size_t)((key >> 7) * UINT64_C(0x9e3779b97f4a7c15) >> 24);
    return (line << 2 | (key >> 5 & 3)) & (map->size - 1);
}

/* The entry of this key, or the empty one where it would go. The map is not empty-sized. */
static inline struct entry *map_seek(const struct map *map, uint64_t key)
{
    size_t i = key_home(map, key);
    while (map->entries[i].block.serial != 0 && map->entries[i].key != key)
        i = (i + 1) & (map->size - 1);
    return &map->entries[i];
}

static inline struct entry *map_find(const struct map *map, uint64_t key)
{
    if (map->size == 0)
        return NULL;
    struct entry *entry = map_seek(map, key);
    return entry->block.serial != 0 ? entry : NULL;
}

/* The entry of this key, or an empty one for it that the caller fills at once. At most two thirds
   of the map are full. NULL and errno when memory is out. */
static inline struct entry *map_add(struct map *map, uint64_t key)
{
    if ((map->count + 1) * 3 > map->size * 2 && !map_grow(map))
        return NULL;
    struct entry *entry = map_seek(map, key);
    map->count += entry->block.serial == 0;
    entry->key = key;
    return entry;
}

static inline void map_remove(struct map *map, struct entry *entry)
{
    size_t mask = map->size - 1;
    size_t hole = (size_t)(entry - map->entries);
    for (size_t i = (hole + 1) & mask; map->entries[i].block.serial != 0; i = (i + 1) & mask) {
        size_t home = key_home(map, map->entries[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole].block = (struct live_block){0};
    map->count--;
}

#endif
