/*
 * Doubly linked lists of slots.
 */
#include "synth_calendar.h"

#include "pages.h"

static const struct synth_list empty = {SYNTH_NONE, SYNTH_NONE};

void synth_calendar_clear(struct synth_calendar *calendar)
{
    for (unsigned role = 0; role < SYNTH_ROLES; role++) {
        for (unsigned gap = 0; gap < SYNTH_GAPS; gap++)
            calendar->gaps[role][gap] = empty;
    }
    for (unsigned segment = 0; segment < SYNTH_SEGMENTS; segment++) {
        calendar->segments[segment] = empty;
        calendar->cursor[segment] = SYNTH_NONE;
    }
}

bool synth_calendar_reserve(struct synth_calendar *calendar, uint32_t slot)
{
    void *blocks = calendar->blocks;
    if (!pages_reserve(&blocks, &calendar->capacity, sizeof *calendar->blocks, (size_t)slot + 1))
        return false;
    calendar->blocks = blocks;
    return true;
}

void synth_calendar_close(struct synth_calendar *calendar)
{
    pages_unmap(calendar->blocks, calendar->capacity * sizeof *calendar->blocks);
}

/* Between two that are neighbours, or an end of the list. */
static void put_between(struct synth_calendar *calendar, struct synth_list *list, uint32_t slot,
                        uint32_t before, uint32_t behind)
{
    struct synth_block *block = &calendar->blocks[slot];
    block->list = list;
    block->before = before;
    block->behind = behind;
    if (before != SYNTH_NONE)
        calendar->blocks[before].behind = slot;
    else
        list->first = slot;
    if (behind != SYNTH_NONE)
        calendar->blocks[behind].before = slot;
    else
        list->last = slot;
}

void synth_put_behind(struct synth_calendar *calendar, struct synth_list *list, uint32_t slot,
                      uint32_t other)
{
    uint32_t before = other == SYNTH_NONE ? list->last : other;
    uint32_t behind = before == SYNTH_NONE ? SYNTH_NONE : calendar->blocks[before].behind;
    put_between(calendar, list, slot, before, behind);
}

void synth_put_before(struct synth_calendar *calendar, struct synth_list *list, uint32_t slot,
                      uint32_t other)
{
    uint32_t behind = other == SYNTH_NONE ? list->first : other;
    uint32_t before = behind == SYNTH_NONE ? SYNTH_NONE : calendar->blocks[behind].before;
    put_between(calendar, list, slot, before, behind);
}

void synth_take(struct synth_calendar *calendar, uint32_t slot)
{
    struct synth_block *block = &calendar->blocks[slot];
    struct synth_list *list = block->list;
    if (block->before != SYNTH_NONE)
        calendar->blocks[block->before].behind = block->behind;
    else
        list->first = block->behind;
    if (block->behind != SYNTH_NONE)
        calendar->blocks[block->behind].before = block->before;
    else
        list->last = block->before;
    block->list = NULL;
    if (!block->is_long)
        return;
    uint32_t *cursor = &calendar->cursor[list - calendar->segments];
    *cursor = *cursor == slot ? block->behind : *cursor;
}

void synth_splice(struct synth_calendar *calendar, struct synth_list *from, struct synth_list *to)
{
    while (from->last != SYNTH_NONE) {
        uint32_t slot = from->last;
        synth_take(calendar, slot);
        synth_put_before(calendar, to, slot, SYNTH_NONE);
    }
}

void synth_put_long(struct synth_calendar *calendar, unsigned segment, uint32_t slot, unsigned step)
{
    struct synth_list *list = &calendar->segments[segment];
    struct synth_block *block = &calendar->blocks[slot];
    uint32_t cursor = calendar->cursor[segment];
    bool together = step < SYNTH_STEPS / 2;
    block->is_long = true;
    block->joined = together;
    if (step % (SYNTH_STEPS / 2) == SYNTH_OLDER && cursor != SYNTH_NONE) {
        /* The younger one ends first; then the one put there before, together with it or later. */
        struct synth_block *other = &calendar->blocks[cursor];
        block->joined = other->joined;
        other->joined = together;
        synth_put_before(calendar, list, slot, cursor);
    } else {
        bool follows = step % (SYNTH_STEPS / 2) == SYNTH_YOUNGER;
        synth_put_behind(calendar, list, slot, follows ? cursor : SYNTH_NONE);
    }
    calendar->cursor[segment] = slot;
}
