/*
 * The front of a thread: blocks that it freed lately, by size, so that the next malloc of that size
 * takes one without a lock, a search or a split. As far as their heap knows these blocks are in
 * use; they go home and are merged with their neighbours when a list overflows or the thread ends.
 *
 * A list is an array of payloads, last freed first to be taken. Lists begin empty and without room,
 * and are given room as they run dry or over, as long as what all of them could hold stays in
 * proportion to the heap; beyond that, lists that did neither for a while give up half of theirs.
 * Gross sizes up to FRONT_EXACT_MAX have a list each; above there are eight
 * lists a doubling, and requests are rounded up to the size of their list, so that any block of a
 * list serves any request for it.
 *
 * A front that holds more blocks than are left of what the program had waits for nothing: it is
 * drained, and what is freed from then on goes home at once, or each of these few blocks would hold
 * a span of 2 MiB. The next malloc ends that.
 *
 * A program that frees many blocks in a row has often not looked at them for long: their headers
 * would be fetched from memory one by one. So after some frees in a row the next ones are delayed:
 * the header is asked for, and looked at a few frees later. The next malloc ends that.
 */
#ifndef ALLOCATOR_FRONT_H
#define ALLOCATOR_FRONT_H

#include "guard.h"

enum {
    FRONT_EXACT_MAX = 1024,
    FRONT_LISTS_A_DOUBLING_LOG2 = 3,
    FRONT_LISTS_A_DOUBLING = 1 << FRONT_LISTS_A_DOUBLING_LOG2,
    FRONT_GROSS_MAX = 8 * 1024, /* larger blocks go straight to their heap */
    FRONT_UNIT = 128,           /* all lists above FRONT_EXACT_MAX are for multiples of it */
    FRONT_UNITS = FRONT_GROSS_MAX / FRONT_UNIT,
    FRONT_LISTS = 64 + 3 * FRONT_LISTS_A_DOUBLING + 1,
    FRONT_FREES_IN_A_ROW = 32, /* from here on they are delayed; arbitrary, more than the frees of
                                  one object's parts */
    FRONT_DELAY = 16,          /* blocks; a power of two */
    /* Delayed frees from one look at whether the front is to be drained to the next; arbitrary,
       a look costs some 400 instructions. */
    FRONT_LOOK = 256,
    FRONT_REQUEST_MAX = FRONT_GROSS_MAX - BLOCK_HEADER,
};

struct front_list {
    void **payloads;
    uint32_t gross; /* what its blocks have at least */
    uint16_t count;
    uint16_t limit; /* entries of payloads */
};

struct front {
    size_t frees; /* since the last malloc; above FRONT_FREES_IN_A_ROW, `delayed` may hold some */
    size_t turn;  /* delayed[turn % FRONT_DELAY] is the oldest of them */
    struct front_list lists[FRONT_LISTS];
    void *delayed[FRONT_DELAY]; /* payloads that were freed but not looked at; NULL: none */
    uint8_t list_below[FRONT_UNITS + 1]; /* see front_list_of */
    uint8_t list_above[FRONT_UNITS + 1];
    struct guard *guard;       /* the heap that the thread takes blocks from */
    size_t room;               /* bytes of blocks that the lists could hold */
    unsigned hand;             /* index of the list that is asked next to give up room */
    bool is_busy[FRONT_LISTS]; /* ran dry or over since the hand passed */
    bool is_draining;          /* holds nothing, and is to hold nothing before the next malloc */
};

/* The list in which a block of `gross` bytes is kept; at most FRONT_GROSS_MAX. */
static inline struct front_list *front_list_of(struct front *front, size_t gross)
{
    if (__builtin_expect(gross <= FRONT_EXACT_MAX, 1))
        return &front->lists[gross / ALIGNMENT];
    return &front->lists[front->list_below[gross / FRONT_UNIT]];
}

/* The list whose blocks serve a request of at most FRONT_REQUEST_MAX bytes. */
static inline struct front_list *front_list_for(struct front *front, size_t request)
{
    size_t gross = block_gross(request);
    if (__builtin_expect(gross <= FRONT_EXACT_MAX, 1))
        return &front->lists[gross / ALIGNMENT];
    return &front->lists[front->list_above[(gross + FRONT_UNIT - 1) / FRONT_UNIT]];
}

static inline bool front_delays(const struct front *front)
{
    return front->frees > FRONT_FREES_IN_A_ROW;
}

/* A front over the guard's heap, empty; NULL without memory. */
struct front *front_new(struct guard *guard);

/* Brings all blocks home and frees the front itself. None may be delayed. */
void front_delete(struct front *front);

/* A block for an empty list's request, from the heap, with more of its size for the next ones:
   its payload, or NULL without memory. */
void *front_refill(struct front *front, struct front_list *list);

/* Makes room for one more block in a full list; false: there is none, and no block can be put
 * there. */
bool front_make_room(struct front *front, struct front_list *list);

/* Whether most of what the heap has given is free and more of the rest is here than with the
   program. */
bool front_is_left_over(struct front *front);

/* Brings all blocks home, gives up all room and begins to drain. None may be delayed. */
void front_drain(struct front *front);

/* Puts a used block into a list that has room. */
static inline void front_put(struct front *front, struct front_list *list, struct block *block)
{
    block_mark(block, BLOCK_MAGIC_FRONT);
    list->payloads[list->count++] = block_payload(block);
    front->frees++;
}

/* Takes a block out of a list that is not empty: its payload. */
static inline void *front_take(struct front *front, struct front_list *list)
{
    void *p = list->payloads[--list->count];
    block_mark(block_from_payload(p), BLOCK_MAGIC_USED);
    front->frees = 0;
    return p;
}

#endif
