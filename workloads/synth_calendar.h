/*
 * Which live block of a synthesised trace ends when: lists of blocks by the moment of their end, in
 * the order in which they end then.
 */
#ifndef WORKLOADS_SYNTH_CALENDAR_H
#define WORKLOADS_SYNTH_CALENDAR_H

#include "synth_quota.h"

enum { SYNTH_GAPS = 2 * SYNTH_SHORT_MAX };

/* A live block. */
struct synth_block {
    struct synth_list *list; /* in which it is; NULL: it never ends */
    uint32_t before, behind; /* in that list; SYNTH_NONE */
    uint32_t thread;         /* of the trace, that began the version */
    uint64_t bytes;
    uint16_t size; /* of the profile */
    uint8_t role, end;
    uint8_t segment; /* in which the version began */
    bool joined;     /* ends with the one before it in the list, without a version in between */
    bool is_long;
    bool lives;
};

struct synth_list {
    uint32_t first, last;
};

struct synth_calendar {
    struct synth_block *blocks; /* by slot */
    size_t capacity;
    /* Ends of short versions by role and by its clock, modulo SYNTH_GAPS. */
    struct synth_list gaps[SYNTH_ROLES][SYNTH_GAPS];
    struct synth_list segments[SYNTH_SEGMENTS]; /* ends of long ones */
    uint32_t cursor[SYNTH_SEGMENTS];            /* the block put there last; SYNTH_NONE */
};

void synth_calendar_clear(struct synth_calendar *calendar);
bool synth_calendar_reserve(struct synth_calendar *calendar, uint32_t slot);
void synth_calendar_close(struct synth_calendar *calendar);
/* Puts a block into a list: behind another one, which is in it, or before it; SYNTH_NONE stands for
   the last one, and the first one. */
void synth_put_behind(struct synth_calendar *calendar, struct synth_list *list, uint32_t slot,
                      uint32_t other);
void synth_put_before(struct synth_calendar *calendar, struct synth_list *list, uint32_t slot,
                      uint32_t other);
/* Takes the block out of its list. */
void synth_take(struct synth_calendar *calendar, uint32_t slot);
/* Puts all of one list before all of the other. */
void synth_splice(struct synth_calendar *calendar, struct synth_list *from, struct synth_list *to);
/* Puts a long version's end among those of a segment, by a step (synth_profile.h) from the one put
   there before it. */
void synth_put_long(struct synth_calendar *calendar, unsigned segment, uint32_t slot,
                    unsigned step);

#endif
