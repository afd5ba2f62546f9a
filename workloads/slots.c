/*
 * Serial to slot by a hash table with linear probing and backward-shift deletion (no tombstones:
 * a trace frees as often as it allocates), the lowest free slot by a tree of bitmaps.
 */
#include "slots.h"

#include "pages.h"

#include <errno.h>

enum { TABLE_FIRST = 1024 };

/*
 * Fibonacci hashing of the serial's low half (an entry has no more of it), eight neighbours to a
 * cache line: blocks made one after the other are mostly freed one after the other. Measured on
 * traces with a million live blocks: twice as fast as scattering each.
 */
static size_t entry_home(const struct slots *slots, uint32_t serial_low)
{
    size_t line = (size_t)((serial_low >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    return (line << 3 | (serial_low & 7)) & (slots->table_size - 1);
}

static size_t entry_next(const struct slots *slots, size_t i)
{
    return (i + 1) & (slots->table_size - 1);
}

static void table_put(struct slots *slots, uint64_t entry)
{
    size_t i = entry_home(slots, (uint32_t)(entry >> 32));
    while (slots->table[i] != 0)
        i = entry_next(slots, i);
    slots->table[i] = entry;
}

static void table_add(struct slots *slots, uint64_t serial, uint32_t slot)
{
    table_put(slots, serial << 32 | (slot + 1));
}

/* Three quarters full is where linear probing begins to hurt. */
static bool table_reserve(struct slots *slots, size_t live)
{
    if (live * 4 <= slots->table_size * 3)
        return true;
    struct slots old = *slots;
    size_t size = old.table_size ? old.table_size * 2 : TABLE_FIRST;
    uint64_t *table = pages_map(size * sizeof *table);
    if (table == NULL)
        return false;
    slots->table = table;
    slots->table_size = size;
    for (size_t i = 0; i < old.table_size; i++) {
        if (old.table[i] != 0)
            table_put(slots, old.table[i]);
    }
    pages_unmap(old.table, old.table_size * sizeof *old.table);
    return true;
}

/* The entry of this serial, or table_size. */
static size_t table_find(const struct slots *slots, uint64_t serial)
{
    if (slots->table_size == 0)
        return 0;
    size_t i = entry_home(slots, (uint32_t)serial);
    for (; slots->table[i] != 0; i = entry_next(slots, i)) {
        uint64_t entry = slots->table[i];
        if (entry >> 32 == (uint32_t)serial && slots->blocks[(uint32_t)entry - 1].serial == serial)
            return i;
    }
    return slots->table_size;
}

/* Closes the hole at i with whatever entry behind it may stand there. */
static void table_remove(struct slots *slots, size_t i)
{
    size_t mask = slots->table_size - 1;
    size_t hole = i;
    for (i = entry_next(slots, i); slots->table[i] != 0; i = entry_next(slots, i)) {
        size_t home = entry_home(slots, (uint32_t)(slots->table[i] >> 32));
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            slots->table[hole] = slots->table[i];
            hole = i;
        }
    }
    slots->table[hole] = 0;
}

static bool level_reserve(struct slots *slots, unsigned level, size_t words)
{
    void *p = slots->level[level];
    if (!pages_reserve(&p, &slots->level_capacity[level], sizeof(uint64_t), words))
        return false;
    slots->level[level] = p;
    return true;
}

/* Makes room for slots up to `used`; a new top level takes over what the old one says. */
static bool tree_reserve(struct slots *slots, uint32_t used)
{
    size_t words = used;
    unsigned height = 0;
    do {
        words = (words + 63) / 64;
        if (!level_reserve(slots, height, words))
            return false;
        height++;
    } while (words > 1);
    for (; slots->height < height; slots->height++) {
        if (slots->height > 0)
            slots->level[slots->height][0] = slots->level[slots->height - 1][0] != 0;
    }
    return true;
}

static bool tree_is_empty(const struct slots *slots)
{
    return slots->height == 0 || slots->level[slots->height - 1][0] == 0;
}

static uint32_t tree_lowest(const struct slots *slots)
{
    size_t i = 0;
    for (unsigned level = slots->height; level-- > 0;)
        i = i * 64 + (size_t)__builtin_ctzll(slots->level[level][i]);
    return (uint32_t)i;
}

static void tree_add(struct slots *slots, size_t i)
{
    for (unsigned level = 0; level < slots->height; level++, i /= 64)
        slots->level[level][i / 64] |= UINT64_C(1) << (i % 64);
}

static void tree_remove(struct slots *slots, size_t i)
{
    for (unsigned level = 0; level < slots->height; level++, i /= 64) {
        slots->level[level][i / 64] &= ~(UINT64_C(1) << (i % 64));
        if (slots->level[level][i / 64] != 0)
            return;
    }
}

static bool slots_reserve(struct slots *slots, size_t wanted)
{
    if (wanted <= slots->capacity)
        return true;
    if (wanted >= TRACE_NO_SLOT) {
        errno = ENOMEM;
        return false;
    }
    void *p = slots->blocks;
    if (!pages_reserve(&p, &slots->capacity, sizeof *slots->blocks, wanted))
        return false;
    slots->blocks = p;
    return true;
}

uint32_t slots_make(struct slots *slots, uint64_t serial)
{
    if (!table_reserve(slots, (size_t)slots->live + 1))
        return TRACE_NO_SLOT;
    uint32_t slot;
    if (!tree_is_empty(slots)) {
        slot = tree_lowest(slots);
        tree_remove(slots, slot);
    } else {
        slot = slots->used;
        if (!slots_reserve(slots, (size_t)slot + 1) || !tree_reserve(slots, slot + 1))
            return TRACE_NO_SLOT;
        slots->used++;
    }
    slots->blocks[slot].serial = serial;
    table_add(slots, serial, slot);
    slots->live++;
    return slot;
}

uint32_t slots_find(struct slots *slots, uint64_t serial)
{
    slots->found = table_find(slots, serial);
    if (slots->found == slots->table_size)
        return TRACE_NO_SLOT;
    return (uint32_t)slots->table[slots->found] - 1;
}

void slots_prefetch(const struct slots *slots, uint64_t serial)
{
    if (slots->table_size > 0)
        __builtin_prefetch(&slots->table[entry_home(slots, (uint32_t)serial)], 1);
}

void slots_rename(struct slots *slots, uint32_t slot, uint64_t serial)
{
    table_remove(slots, slots->found);
    slots->blocks[slot].serial = serial;
    table_add(slots, serial, slot);
}

void slots_free(struct slots *slots, uint32_t slot)
{
    table_remove(slots, slots->found);
    slots->blocks[slot].serial = 0;
    tree_add(slots, slot);
    slots->live--;
}

void slots_close(struct slots *slots)
{
    pages_unmap(slots->blocks, slots->capacity * sizeof *slots->blocks);
    pages_unmap(slots->table, slots->table_size * sizeof *slots->table);
    for (unsigned level = 0; level < SLOTS_LEVELS; level++)
        pages_unmap(slots->level[level], slots->level_capacity[level] * sizeof(uint64_t));
    *slots = (struct slots){0};
}

size_t slots_mapped(const struct slots *slots)
{
    size_t bytes = slots->capacity * sizeof *slots->blocks;
    bytes += slots->table_size * sizeof *slots->table;
    for (unsigned level = 0; level < SLOTS_LEVELS; level++)
        bytes += slots->level_capacity[level] * sizeof(uint64_t);
    return bytes;
}
