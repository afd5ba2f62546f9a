/*
 * Serial to slot by the directory and its leaves, the lowest free slot by a tree of bitmaps.
 */
#include "slots.h"

#include "pages.h"

#include <errno.h>

/* Sets *leaf to a leaf without entries, unused until now or used again. */
static __attribute__((noinline)) bool leaf_take(struct slots *slots, struct slots_leaf *leaf)
{
    leaf->number = slots->leaves_free;
    if (leaf->number != 0) {
        slots->leaves_free = slots->leaves[leaf->number][0];
        slots->leaves[leaf->number][0] = 0;
        return true;
    }
    if (slots->leaves_used == UINT32_MAX) {
        errno = ENOMEM;
        return false;
    }
    uint32_t number = slots->leaves_used > 0 ? slots->leaves_used : 1;
    void *p = slots->leaves;
    if (!pages_reserve(&p, &slots->leaves_capacity, sizeof *slots->leaves, number + 1))
        return false;
    slots->leaves = p;
    slots->leaves_used = number + 1;
    leaf->number = number;
    return true;
}

static inline void leaf_put(struct slots *slots, struct slots_leaf *leaf)
{
    slots->leaves[leaf->number][0] = slots->leaves_free;
    slots->leaves_free = leaf->number;
    leaf->number = 0;
}

static inline bool serial_add(struct slots *slots, uint64_t serial, uint32_t slot)
{
    size_t i = serial / SLOTS_LEAF;
    void *p = slots->directory;
    if (!pages_reserve(&p, &slots->directory_capacity, sizeof *slots->directory, i + 1))
        return false;
    slots->directory = p;
    struct slots_leaf *leaf = &slots->directory[i];
    if (leaf->live == 0 && !leaf_take(slots, leaf))
        return false;
    leaf->live++;
    slots->leaves[leaf->number][serial % SLOTS_LEAF] = slot + 1;
    return true;
}

static inline void serial_remove(struct slots *slots, uint64_t serial)
{
    struct slots_leaf *leaf = &slots->directory[serial / SLOTS_LEAF];
    slots->leaves[leaf->number][serial % SLOTS_LEAF] = 0;
    if (--leaf->live == 0)
        leaf_put(slots, leaf);
}

/* Makes room for these words in level 0; a new top level takes over what the old one says. */
static bool tree_reserve(struct slots *slots, size_t words)
{
    unsigned height = 0;
    for (size_t wanted = words; height == 0 || wanted > 1; height++) {
        wanted = height > 0 ? (wanted + 63) / 64 : wanted;
        void *p = slots->level[height];
        if (!pages_reserve(&p, &slots->level_capacity[height], sizeof(uint64_t), wanted))
            return false;
        slots->level[height] = p;
    }
    for (; slots->height < height; slots->height++) {
        if (slots->height > 0)
            slots->level[slots->height][0] = slots->level[slots->height - 1][0] != 0;
    }
    return true;
}

/* The word of level 0 with the lowest free slot, of which there is one. */
static __attribute__((noinline)) uint32_t tree_lowest_word(const struct slots *slots)
{
    size_t i = 0;
    for (unsigned level = slots->height; level-- > 1;)
        i = i * 64 + (size_t)__builtin_ctzll(slots->level[level][i]);
    return (uint32_t)i;
}

/* Level 0 knows; tells the levels above that its word i has slots now, or has none any more. */
static __attribute__((noinline)) void tree_tell(struct slots *slots, size_t i, bool has_slots)
{
    for (unsigned level = 1; level < slots->height; level++, i /= 64) {
        uint64_t *word = &slots->level[level][i / 64];
        uint64_t others = *word & ~(UINT64_C(1) << (i % 64));
        *word = others | (uint64_t)has_slots << (i % 64);
        if (others != 0)
            return;
    }
}

/* The lowest free slot, of which there is one, is taken. */
static uint32_t tree_take(struct slots *slots)
{
    uint32_t word = slots->lowest;
    uint64_t bits = slots->level[0][word];
    uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
    slots->level[0][word] = bits & (bits - 1);
    slots->free--;
    if ((bits & (bits - 1)) == 0) {
        tree_tell(slots, word, false);
        if (slots->free > 0)
            slots->lowest = tree_lowest_word(slots);
    }
    return slot;
}

static void tree_put(struct slots *slots, uint32_t slot)
{
    uint32_t word = slot / 64;
    uint64_t bits = slots->level[0][word];
    slots->level[0][word] = bits | UINT64_C(1) << (slot % 64);
    if (bits == 0)
        tree_tell(slots, word, true);
    if (slots->free++ == 0 || word < slots->lowest)
        slots->lowest = word;
}

/* 64 free slots above all that there were. */
static __attribute__((noinline)) bool slots_grow(struct slots *slots)
{
    uint32_t word = slots->words;
    void *p = slots->blocks;
    if (word == TRACE_NO_SLOT / 64) {
        errno = ENOMEM;
        return false;
    }
    if (!pages_reserve(&p, &slots->capacity, sizeof *slots->blocks, (word + UINT64_C(1)) * 64))
        return false;
    slots->blocks = p;
    if (!tree_reserve(slots, word + UINT64_C(1)))
        return false;
    slots->level[0][word] = UINT64_MAX;
    tree_tell(slots, word, true);
    slots->words++;
    slots->free = 64;
    slots->lowest = word;
    return true;
}

uint32_t slots_make(struct slots *slots, uint64_t serial)
{
    if (slots->free == 0 && !slots_grow(slots))
        return TRACE_NO_SLOT;
    uint32_t slot = tree_take(slots);
    return serial_add(slots, serial, slot) ? slot : (uint32_t)TRACE_NO_SLOT;
}

bool slots_rename(struct slots *slots, uint32_t slot, uint64_t serial, uint64_t renamed)
{
    serial_remove(slots, serial);
    return serial_add(slots, renamed, slot);
}

void slots_free(struct slots *slots, uint32_t slot, uint64_t serial)
{
    serial_remove(slots, serial);
    tree_put(slots, slot);
}

void slots_close(struct slots *slots)
{
    pages_unmap(slots->directory, slots->directory_capacity * sizeof *slots->directory);
    pages_unmap(slots->leaves, slots->leaves_capacity * sizeof *slots->leaves);
    pages_unmap(slots->blocks, slots->capacity * sizeof *slots->blocks);
    for (unsigned level = 0; level < SLOTS_LEVELS; level++)
        pages_unmap(slots->level[level], slots->level_capacity[level] * sizeof(uint64_t));
    *slots = (struct slots){0};
}

size_t slots_mapped(const struct slots *slots)
{
    size_t bytes = slots->directory_capacity * sizeof *slots->directory;
    bytes += slots->leaves_capacity * sizeof *slots->leaves;
    bytes += slots->capacity * sizeof *slots->blocks;
    for (unsigned level = 0; level < SLOTS_LEVELS; level++)
        bytes += slots->level_capacity[level] * sizeof(uint64_t);
    return bytes;
}
