/*
 * Growing and closing: what is seldom.
 */
#include "block_map.h"

#include "pages.h"

enum { MAP_FIRST = 1024 };

void map_close(struct map *map)
{
    pages_unmap(map->entries, map->size * sizeof *map->entries);
}

bool map_grow(struct map *map)
{
    struct map grown = {.size = map->size ? map->size * 2 : MAP_FIRST, .count = map->count};
    grown.entries = pages_map(grown.size * sizeof *grown.entries);
    if (grown.entries == NULL)
        return false;
    for (size_t i = 0; i < map->size; i++) {
        if (map->entries[i].block.serial != 0)
            *map_seek(&grown, map->entries[i].key) = map->entries[i];
    }
    map_close(map);
    *map = grown;
    return true;
}
