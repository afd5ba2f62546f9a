/*
 * From operations in recorded order to streams. Everything is decided here, before the clock
 * starts; the threads only follow.
 */
#include "streams.h"

#include "own_memory.h"
#include "touched.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    SEGMENT_FIRST = 32, /* words; threads that make a few calls are the most frequent kind */
    SEGMENT_MOST = 1024,
    CONTROL_WORDS = 2, /* of the longest step of streams only */
    NO_THREAD = UINT32_MAX
};

static uint64_t control_word(enum stream_step kind, uint32_t slot)
{
    return slot | (uint64_t)kind << STEP_KIND_SHIFT;
}

bool streams_open(struct streams *streams, const struct trace_totals *totals, uint64_t epoch_ops)
{
    *streams = (struct streams){
        .slots = 1,
        .lanes = 1,
        .ops_most = epoch_ops ? epoch_ops : STREAMS_EPOCH_OPS,
        .bytes_most = totals->peak_live / STREAMS_BYTES_SHARE,
        .placed_count = totals->slots,
        .last_thread = NO_THREAD,
    };
    streams->placed = own_memory_map((totals->slots + 1) * sizeof(*streams->placed));
    return streams->placed != NULL &&
           own_memory_reserve((void **)&streams->lane_thread, &streams->lanes_capacity,
                              sizeof(uint32_t), 1) &&
           own_memory_reserve((void **)&streams->free_slot, &streams->slots_capacity,
                              sizeof(struct free_slot), 1);
}

void streams_close(struct streams *streams)
{
    own_memory_unmap(streams->words, streams->words_capacity * sizeof(*streams->words));
    own_memory_unmap(streams->thread, streams->threads_capacity * sizeof(*streams->thread));
    own_memory_unmap(streams->epoch, streams->epochs_capacity * sizeof(*streams->epoch));
    own_memory_unmap(streams->placed, (streams->placed_count + 1) * sizeof(*streams->placed));
    own_memory_unmap(streams->free_slot, streams->slots_capacity * sizeof(*streams->free_slot));
    own_memory_unmap(streams->lane_thread, streams->lanes_capacity * sizeof(uint32_t));
    own_memory_unmap(streams->free_lane, streams->free_lanes_capacity * sizeof(struct free_lane));
    *streams = (struct streams){0};
}

/* The epoch that is being filled, from the trace's start. */
static uint32_t epoch_now(const struct streams *streams)
{
    return streams->epoch_base + streams->epochs - 1;
}

/* What was done in this epoch is done, for whoever may begin a step now. */
static bool epoch_is_past(const struct streams *streams, uint32_t epoch)
{
    return epoch + STREAMS_EPOCHS_AHEAD <= epoch_now(streams);
}

static bool epoch_begin(struct streams *streams)
{
    if (!own_memory_reserve((void **)&streams->epoch, &streams->epochs_capacity,
                            sizeof(struct epoch), (size_t)streams->epochs + 1))
        return false;
    streams->epoch[streams->epochs] = (struct epoch){.ops = streams->total};
    streams->epochs++;
    streams->epoch_ops = 0;
    streams->made = 0;
    streams->freed = 0;
    return true;
}

void streams_begin_part(struct streams *streams)
{
    streams->epoch_base += streams->epochs + STREAMS_EPOCHS_AHEAD;
    streams->epochs = 0;
    streams->paused_epochs = 0;
    streams->used = 0;
    streams->count = 0;
    for (uint32_t lane = 0; lane < streams->lanes; lane++) {
        uint32_t thread = streams->lane_thread[lane];
        if (streams->threads > 0 && thread != NO_THREAD) {
            struct stream *stream = &streams->thread[thread];
            stream->has_words = false;
            stream->has_epoch = false;
            stream->segment = 0;
            stream->ops = 0;
        }
    }
}

/* Room for n words and a jump behind them. */
static bool stream_reserve(struct streams *streams, struct stream *stream, size_t n)
{
    if (stream->has_words && stream->next + n + CONTROL_WORDS <= stream->end)
        return true;
    uint32_t segment = stream->segment ? stream->segment * 2 : SEGMENT_FIRST;
    segment = segment < SEGMENT_MOST ? segment : SEGMENT_MOST;
    if (!own_memory_reserve((void **)&streams->words, &streams->words_capacity, sizeof(uint64_t),
                            streams->used + segment))
        return false;
    if (stream->has_words) {
        streams->words[stream->next] = control_word(STEP_JUMP, 0);
        streams->words[stream->next + 1] = streams->used;
    } else {
        stream->first = streams->used;
        stream->has_words = true;
    }
    stream->segment = segment;
    stream->next = streams->used;
    stream->end = streams->used + segment;
    streams->used += segment;
    return true;
}

static bool stream_put(struct streams *streams, struct stream *stream, const uint64_t *words,
                       size_t n)
{
    if (!stream_reserve(streams, stream, n))
        return false;
    memcpy(streams->words + stream->next, words, n * sizeof(*words));
    stream->next += n;
    return true;
}

/* Before any step of a thread: it is in the epoch that is being filled. `alone`: the first step of
   that epoch, which waits for all before it. So does whoever is in the epoch behind a pause. */
static bool stream_enter(struct streams *streams, struct stream *stream, bool alone)
{
    uint32_t epoch = epoch_now(streams);
    if (stream->has_epoch && stream->epoch == epoch)
        return true;
    alone |= streams->paused_epochs > 0 && streams->paused_epochs == streams->epochs - 1;
    uint64_t word = control_word(STEP_EPOCH, streams->epochs - 1) | (uint64_t)alone
                                                                        << STEP_SIZE_SHIFT;
    if (!stream_put(streams, stream, &word, 1))
        return false;
    stream->epoch = epoch;
    stream->has_epoch = true;
    streams->epoch[streams->epochs - 1].left++;
    return true;
}

/* Ends the epoch before a step of so many bytes made or freed, if it is full. */
static bool epoch_make_room(struct streams *streams, uint64_t made, uint64_t freed)
{
    bool is_full = streams->epoch_ops >= streams->ops_most ||
                   (streams->epoch_ops > 0 && (streams->made + made > streams->bytes_most ||
                                               streams->freed + freed > streams->bytes_most));
    if ((streams->epochs == 0 || is_full) && !epoch_begin(streams))
        return false;
    streams->made += made;
    streams->freed += freed;
    streams->epoch_ops++;
    return true;
}

/* A slot for a block that this thread makes; 0: no memory. */
static uint32_t slot_take(struct streams *streams, struct stream *stream)
{
    uint32_t slot = stream->free_slot;
    if (slot != 0) {
        stream->free_slot = streams->free_slot[slot].next;
        return slot;
    }
    slot = streams->oldest;
    if (slot != 0 && epoch_is_past(streams, streams->free_slot[slot].epoch)) {
        streams->oldest = streams->free_slot[slot].next;
        return slot;
    }
    if (!own_memory_reserve((void **)&streams->free_slot, &streams->slots_capacity,
                            sizeof(struct free_slot), (size_t)streams->slots + 1))
        return 0;
    return streams->slots++;
}

static void slot_queue(struct streams *streams, uint32_t slot)
{
    streams->free_slot[slot] = (struct free_slot){.epoch = epoch_now(streams)};
    if (streams->oldest == 0)
        streams->oldest = slot;
    else
        streams->free_slot[streams->youngest].next = slot;
    streams->youngest = slot;
}

/* Who made a block and frees it will make the next; who frees another's blocks may never. */
static void slot_put(struct streams *streams, struct stream *stream, uint32_t slot, bool is_own)
{
    if (!is_own) {
        slot_queue(streams, slot);
        return;
    }
    streams->free_slot[slot] = (struct free_slot){.next = stream->free_slot};
    stream->free_slot = slot;
}

/* A step on a block of another thread's waits for what that did last, unless it is long past. */
static bool block_wait(struct streams *streams, struct stream *stream, uint32_t thread,
                       const struct placed_block *block)
{
    if (block->thread == thread || epoch_is_past(streams, block->epoch))
        return true;
    uint64_t words[] = {control_word(STEP_WAIT, streams->thread[block->thread].lane), block->word};
    streams->words[block->word] |= STEP_PUBLISHES;
    return stream_put(streams, stream, words, 2);
}

/* Puts the step, which is on the block, if there is one. */
static bool step_append(struct streams *streams, const struct trace_op *op, struct step step,
                        struct placed_block *block)
{
    struct stream *stream = &streams->thread[op->thread];
    uint64_t words[STEP_WORDS_MAX];
    size_t n = step_put(words, &step);
    if (!stream_reserve(streams, stream, n))
        return false;
    uint64_t word = stream->next;
    if (!stream_put(streams, stream, words, n) ||
        (streams->touched != NULL && !touched_add(streams->touched, op, word)))
        return false;
    stream->ops++;
    streams->count++;
    streams->total++;
    streams->epoch[streams->epochs - 1].ops = streams->total;
    if (step.kind == TRACE_FREE)
        slot_put(streams, stream, step.slot, block == NULL || block->thread == op->thread);
    if (block == NULL)
        return true;
    block->bytes = step_bytes(&step);
    block->word = word;
    block->epoch = epoch_now(streams);
    block->thread = op->thread;
    return true;
}

static bool step_add(struct streams *streams, const struct trace_op *op)
{
    struct step step = step_from_op(op, TRACE_NO_SLOT);
    struct placed_block *block = step.slot == TRACE_NO_SLOT ? NULL : &streams->placed[step.slot];
    bool makes = trace_op_makes(op);
    uint64_t before = block && !makes ? block->bytes : 0;
    uint64_t after = step.kind == TRACE_FREE ? 0 : step_bytes(&step);
    struct stream *stream = &streams->thread[op->thread];
    bool alone = after > streams->bytes_most || before > streams->bytes_most;
    if (!epoch_make_room(streams, after, before) || !stream_enter(streams, stream, alone))
        return false;
    if (block != NULL && !makes && !block_wait(streams, stream, op->thread, block))
        return false;
    /* free(NULL) is the free of a slot that is free. */
    step.slot = block != NULL && !makes ? block->slot : slot_take(streams, stream);
    if (step.slot == 0)
        return false;
    if (makes) {
        block->slot = step.slot;
        block->thread = op->thread;
    }
    return step_append(streams, op, step, block);
}

/* A lane that is free for any thread, or a new one; NO_THREAD: no memory. */
static uint32_t lane_take(struct streams *streams, uint32_t thread)
{
    uint32_t lane = streams->lanes;
    if (streams->free_lanes_first < streams->free_lanes_end &&
        epoch_is_past(streams, streams->free_lane[streams->free_lanes_first].epoch)) {
        lane = streams->free_lane[streams->free_lanes_first++].lane;
    } else {
        if (!own_memory_reserve((void **)&streams->lane_thread, &streams->lanes_capacity,
                                sizeof(uint32_t), (size_t)lane + 1))
            return NO_THREAD;
        streams->lanes++;
    }
    streams->lane_thread[lane] = thread;
    return lane;
}

static bool lane_put(struct streams *streams, uint32_t lane)
{
    if (!own_memory_reserve((void **)&streams->free_lane, &streams->free_lanes_capacity,
                            sizeof(struct free_lane), streams->free_lanes_end + 1))
        return false;
    streams->lane_thread[lane] = NO_THREAD;
    streams->free_lane[streams->free_lanes_end++] =
        (struct free_lane){.lane = lane, .epoch = epoch_now(streams)};
    return true;
}

/* Who made the call before was most probably making the thread; who has ended cannot. */
static struct stream *spawner(struct streams *streams)
{
    struct stream *last = &streams->thread[streams->last_thread];
    return last->ended ? &streams->thread[0] : last;
}

static bool thread_start(struct streams *streams, uint32_t thread)
{
    if (!own_memory_reserve((void **)&streams->thread, &streams->threads_capacity,
                            sizeof(struct stream), (size_t)thread + 1))
        return false;
    streams->threads = thread + 1;
    streams->thread[thread] = (struct stream){0};
    if (thread == 0) {
        streams->lane_thread[0] = 0;
        return true;
    }
    if (!epoch_make_room(streams, 0, 0))
        return false;
    struct stream *parent = spawner(streams);
    uint32_t lane = lane_take(streams, thread);
    if (lane == NO_THREAD)
        return false;
    streams->thread[thread].lane = lane;
    uint64_t words[] = {control_word(STEP_SPAWN, lane), thread};
    return stream_enter(streams, parent, false) && stream_put(streams, parent, words, 2);
}

/* The process's first thread stays: it makes threads for those that have ended. */
static bool thread_end(struct streams *streams, uint32_t thread)
{
    struct stream *stream = &streams->thread[thread];
    stream->ended = true;
    for (uint32_t slot; (slot = stream->free_slot) != 0;) {
        stream->free_slot = streams->free_slot[slot].next;
        slot_queue(streams, slot);
    }
    if (thread == 0)
        return true;
    if (!epoch_make_room(streams, 0, 0) || !stream_enter(streams, stream, false))
        return false;
    uint64_t word = (uint64_t)TRACE_THREAD_END << STEP_KIND_SHIFT;
    return stream_put(streams, stream, &word, 1) && lane_put(streams, stream->lane);
}

static bool pause_add(struct streams *streams, uint32_t ms)
{
    struct stream *stream = spawner(streams);
    uint64_t word = control_word(STEP_PAUSE, ms);
    if (!epoch_begin(streams) || !stream_enter(streams, stream, true) ||
        !stream_put(streams, stream, &word, 1))
        return false;
    streams->paused_epochs = streams->epochs;
    return epoch_begin(streams);
}

bool streams_add(struct streams *streams, const struct trace_op *op)
{
    bool done = true;
    uint32_t ms = pause_before(&streams->finder, op->time_ns);
    if (ms > 0 && !pause_add(streams, ms))
        return false;
    if (op->kind == TRACE_THREAD_START)
        done = thread_start(streams, op->thread);
    else if (op->kind == TRACE_THREAD_END)
        done = thread_end(streams, op->thread);
    else if (op_has_step(op))
        done = step_add(streams, op);
    streams->last_thread = op->thread;
    return done;
}

bool streams_end_part(struct streams *streams)
{
    const uint64_t word = control_word(STEP_PART_END, 0);
    for (uint32_t lane = 0; lane < streams->lanes; lane++) {
        uint32_t thread = streams->lane_thread[lane];
        if (streams->threads > 0 && thread != NO_THREAD &&
            !stream_put(streams, &streams->thread[thread], &word, 1))
            return false;
    }
    return true;
}

static bool fault_errno(struct steps_fault *fault, const char *path)
{
    fault->unusable = false;
    snprintf(fault->error, sizeof(fault->error), "%s: %s", path, strerror(errno));
    return false;
}

bool streams_read(struct streams *streams, struct steps_source *source, uint64_t wanted,
                  struct steps_fault *fault)
{
    while (streams->count < wanted && !source->ended) {
        size_t n;
        if (!steps_source_next(source, &n, fault))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!streams_add(streams, &source->ops[i]))
                return fault_errno(fault, source->path);
    }
    return streams_end_part(streams) || fault_errno(fault, source->path);
}
