/*
 * A table that doubles when it is two thirds full.
 */
#include "count_map.h"

#include "pages.h"

#include <stdlib.h>

enum { SIZE_FIRST = 256 };

/* The entry of this key, or the empty one where it would go. */
static struct count *map_seek(const struct count_map *map, uint64_t key)
{
    size_t i = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (map->size - 1);
    while (map->entries[i].count != 0 && map->entries[i].key != key)
        i = (i + 1) & (map->size - 1);
    return &map->entries[i];
}

static bool map_grow(struct count_map *map)
{
    struct count_map grown = {.size = map->size ? map->size * 2 : SIZE_FIRST};
    grown.entries = pages_map(grown.size * sizeof *grown.entries);
    if (grown.entries == NULL)
        return false;
    for (size_t i = 0; i < map->size; i++) {
        if (map->entries[i].count != 0)
            *map_seek(&grown, map->entries[i].key) = map->entries[i];
    }
    pages_unmap(map->entries, map->size * sizeof *map->entries);
    map->entries = grown.entries;
    map->size = grown.size;
    return true;
}

bool count_map_add(struct count_map *map, uint64_t key, uint64_t n)
{
    if (n == 0)
        return true;
    if ((map->used + 1) * 3 > map->size * 2 && !map_grow(map))
        return false;
    struct count *entry = map_seek(map, key);
    if (entry->count == 0 && map->used == COUNT_MAP_KEYS) {
        map->rest += n;
        return true;
    }
    map->used += entry->count == 0;
    entry->key = key;
    entry->count += n;
    return true;
}

static int count_compare(const void *a, const void *b)
{
    const struct count *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return (left->key > right->key) - (left->key < right->key);
}

size_t count_map_sort(struct count_map *map)
{
    if (map->size > 0)
        qsort(map->entries, map->size, sizeof *map->entries, count_compare);
    return map->used;
}

void count_map_close(struct count_map *map)
{
    pages_unmap(map->entries, map->size * sizeof *map->entries);
    *map = (struct count_map){0};
}
