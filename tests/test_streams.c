/*
 * Streams, executed by a simulation: one of the lanes that can go on is chosen at random and does
 * its next step, until all are done. Whatever the order, each thread does its calls in the order of
 * the trace, each call meets the block that it means, somebody can always go on, and nobody runs
 * ahead further than was promised.
 */
#include "bench/streams.h"
#include "cmocka_all.h"
#include "random_ops.h"
#include "workloads/prng.h"

#include <stdlib.h>
#include <string.h>

enum { LANES_MOST = 600, SLOTS_MOST = 3000, NOBODY = UINT32_MAX };

struct simulated_lane {
    const uint64_t *at; /* NULL: nobody is on it, or the part is over */
    uint64_t published;
    uint32_t thread;
    uint32_t epoch;
    bool has_epoch;
    bool stays; /* at the end of the part, for the next */
};

static struct random_ops ops;
static struct streams streams;
static struct simulated_lane lane[LANES_MOST];
static uint64_t block_in[SLOTS_MOST];   /* the block's number, by the replay's slot */
static uint64_t block_of[RANDOM_SLOTS]; /* the same by the trace's slot, in trace order */
static uint64_t expected[RANDOM_OPS];   /* the block that an operation means, by op */
static uint32_t calls[RANDOM_THREADS][RANDOM_OPS]; /* indices of a thread's calls */
static uint32_t calls_count[RANDOM_THREADS];
static uint32_t calls_done[RANDOM_THREADS];
static bool is_done[RANDOM_OPS];
static uint64_t epochs_done;
static int64_t live, peak;
static uint32_t pause_at[RANDOM_OPS]; /* indices of the operations that come after a pause */
static uint32_t pauses, pauses_made;
static uint64_t bytes_in[SLOTS_MOST];

/* Numbers the blocks, in the order in which the trace makes them. */
static void expect_all(void)
{
    uint64_t blocks = 0;
    memset(calls_count, 0, sizeof(calls_count));
    memset(calls_done, 0, sizeof(calls_done));
    memset(is_done, 0, sizeof(is_done));
    memset(block_in, 0, sizeof(block_in));
    memset(bytes_in, 0, sizeof(bytes_in));
    live = peak = 0;
    for (size_t i = 0; i < ops.count; i++) {
        const struct trace_op *op = &ops.op[i];
        expected[i] = 0;
        if (!op_has_step(op)) {
            is_done[i] = true;
            continue;
        }

        calls[op->thread][calls_count[op->thread]++] = (uint32_t)i;
        if (op->slot == TRACE_NO_SLOT)
            continue;
        if (trace_op_makes(op))
            block_of[op->slot] = ++blocks;
        expected[i] = block_of[op->slot];
    }
}

static void part_begin(void)
{
    epochs_done = 0;
    for (uint32_t i = 0; i < streams.lanes; i++) {
        bool is_there = lane[i].stays || i == 0;
        lane[i].published = 0;
        lane[i].has_epoch = false;
        lane[i].stays = false;
        if (is_there)
            lane[i].at = streams.words + streams.thread[lane[i].thread].first;
    }
}

static void leave_epoch(struct simulated_lane *at)
{
    if (at->has_epoch)
        streams.epoch[at->epoch].left--;
    at->has_epoch = false;
    while (epochs_done < streams.epochs && streams.epoch[epochs_done].left == 0)
        epochs_done++;
}

static uint64_t epoch_needs(uint64_t word)
{
    uint64_t epoch = step_slot(word) + 1;
    uint64_t ahead = word >> STEP_SIZE_SHIFT ? 1 : STREAMS_EPOCHS_AHEAD;
    return epoch > ahead ? epoch - ahead : 0;
}

/* Whether a lane can do its next step; leaving its epoch it always can. */
static bool can_go_on(struct simulated_lane *one)
{
    if (one->at == NULL)
        return false;
    switch ((int)step_kind(*one->at)) {
    case STEP_EPOCH:
        leave_epoch(one);
        return epochs_done >= epoch_needs(*one->at);
    case STEP_WAIT:
        return lane[step_slot(*one->at)].published > one->at[1];
    case STEP_SPAWN:
        return lane[step_slot(*one->at)].at == NULL;
    default:
        return true;
    }
}

static void call_do(struct simulated_lane *one)
{
    uint64_t word = *one->at;
    struct step step = step_take(&one->at);
    uint32_t index = calls[one->thread][calls_done[one->thread]++];
    const struct trace_op *op = &ops.op[index];
    assert_int_equal(step.kind, step_from_op(op, 0).kind);
    assert_int_equal(step.size, op->size);
    assert_true(step.slot < SLOTS_MOST);
    if (op->slot == TRACE_NO_SLOT || trace_op_makes(op))
        assert_int_equal(block_in[step.slot], 0);
    else
        assert_int_equal(block_in[step.slot], expected[index]);
    bool frees = step.kind == TRACE_FREE;
    uint64_t bytes = frees ? 0 : step_bytes(&step);
    block_in[step.slot] = frees ? 0 : expected[index];
    live += (int64_t)(bytes - bytes_in[step.slot]);
    bytes_in[step.slot] = bytes;
    peak = live > peak ? live : peak;
    is_done[index] = true;
    if (word & STEP_PUBLISHES)
        one->published = (uint64_t)(one->at - streams.words);
}

/* All that was recorded before a pause is done when it begins, and nothing that came after. */
static void pause_do(struct simulated_lane *one)
{
    assert_true(pauses_made < pauses);
    uint32_t next = pause_at[pauses_made++];
    for (uint32_t i = 0; i < ops.count; i++)
        if (op_has_step(&ops.op[i]))
            assert_true(is_done[i] == (i < next));
    uint64_t ns = ops.op[next].time_ns - ops.op[next - 1].time_ns;
    assert_int_equal(step_slot(*one->at), ns / 1000000);
    one->at++;
}

static void step_do(struct simulated_lane *one)
{
    const uint64_t *at = one->at;
    struct simulated_lane *other;
    switch ((int)step_kind(*at)) {
    case STEP_JUMP:
        one->at = streams.words + at[1];
        return;
    case STEP_EPOCH:
        one->epoch = step_slot(*at);
        one->has_epoch = true;
        one->at++;
        return;
    case STEP_WAIT:
        one->at += 2;
        return;
    case STEP_SPAWN:
        other = &lane[step_slot(*at)];
        *other = (struct simulated_lane){.published = other->published,
                                         .thread = (uint32_t)at[1],
                                         .at = streams.words + streams.thread[at[1]].first};
        one->at += 2;
        return;
    case STEP_PAUSE:
        pause_do(one);
        return;
    case STEP_PART_END:
    case TRACE_THREAD_END:
        leave_epoch(one);
        one->stays = (int)step_kind(*at) == STEP_PART_END;
        one->at = NULL;
        return;
    default:
        call_do(one);
    }
}

/* A lane that can go on, beginning the search anywhere; NOBODY: all wait, or all are done. Who is
   asked leaves its epoch, so that another one asked before may go on: hence the second round. */
static uint32_t lane_choose(struct prng *prng)
{
    uint32_t first = (uint32_t)prng_below(prng, streams.lanes);
    for (uint32_t i = 0; i < 2 * streams.lanes; i++) {
        uint32_t number = (first + i) % streams.lanes;
        if (can_go_on(&lane[number]))
            return number;
    }
    return NOBODY;
}

/* Nothing is done that lies further ahead than two epochs of the first that is not. */
static void assert_nobody_is_ahead(uint64_t epoch_ops)
{
    size_t first = 0;
    while (first < ops.count && is_done[first])
        first++;
    /* Thread starts and ends count as steps of an epoch, failed calls as none. */
    for (size_t i = first + 4 * epoch_ops; i < ops.count; i++)
        assert_true(is_done[i] == !op_has_step(&ops.op[i]));
}

/* Executes the part; a lane does a few steps in a row, so that they come apart. */
static void part_run(struct prng *prng, uint64_t epoch_ops)
{
    unsigned n = 0;
    part_begin();
    for (uint32_t number; (number = lane_choose(prng)) != NOBODY; n++) {
        for (uint64_t steps = prng_log_uniform(prng, 0, 9); steps > 0; steps--)
            if (can_go_on(&lane[number]))
                step_do(&lane[number]);
        if (n % 64 == 0)
            assert_nobody_is_ahead(epoch_ops);
    }
    for (uint32_t i = 0; i < streams.lanes; i++)
        assert_null(lane[i].at); /* else there is a deadlock */
    assert_int_equal(epochs_done, streams.epochs);
}

/* Replays what is in `ops`. */
static void replay_ops(uint64_t seed, uint64_t epoch_ops, size_t part_ops)
{
    struct prng prng = prng_of_seed(seed, 1);
    memset(lane, 0, sizeof(lane));
    expect_all();
    pauses_made = 0;
    assert_true(streams_open(&streams, &ops.totals, epoch_ops));
    streams.finder.is_asked = true;
    for (size_t i = 0; i < ops.count;) {
        streams_begin_part(&streams);
        for (size_t n = 0; n < part_ops && i < ops.count; n++)
            assert_true(streams_add(&streams, &ops.op[i++]));
        assert_true(streams_end_part(&streams));
        assert_true(streams.lanes <= LANES_MOST);
        part_run(&prng, epoch_ops);
    }
    for (size_t i = 0; i < ops.count; i++)
        assert_true(is_done[i]);
    assert_int_equal(pauses_made, pauses);
    streams_close(&streams);
}

static void replay(uint64_t seed, unsigned threads, unsigned size_bits, uint64_t epoch_ops,
                   size_t part_ops)
{
    random_ops_make(&ops, seed, threads, size_bits);
    replay_ops(seed, epoch_ops, part_ops);
}

static void test_every_interleaving_does_the_same_work(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++)
        replay(seed, 1 + (unsigned)(seed * 7 % 40), 12, 1 + seed % 5 * 37, RANDOM_OPS);
}

static void test_parts_follow_each_other(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 130; seed++)
        replay(seed, 20, 12, 64, 50 + seed % 7 * 701);
}

static void test_hundreds_of_threads_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 200; seed < 210; seed++)
        replay(seed, RANDOM_THREADS, 12, 256, RANDOM_OPS);
}

static void assert_live_was_as_recorded(void)
{
    double off = (double)peak / (double)ops.totals.peak_live - 1;
    assert_true(off < 0.1 && off > -0.1);
}

static void test_live_bytes_stay_what_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 300; seed < 330; seed++) {
        replay(seed, 30, 24, 4096, RANDOM_OPS);
        assert_live_was_as_recorded();
    }
}

/* Gives the operations times: one in `rare` comes after a pause, others a step of the clock or none
   after the one before. */
static void times_make(uint64_t seed, uint64_t rare)
{
    struct prng prng = prng_of_seed(seed, 2);
    uint64_t ms = 7;
    for (uint32_t i = 0; i < ops.count; i++) {
        bool is_pause = i > 0 && prng_below(&prng, rare) == 0;
        ms += is_pause ? 2 + prng_below(&prng, 100) : prng_below(&prng, 2);
        ops.op[i].time_ns = ms * 1000000;
        if (is_pause)
            pause_at[pauses++] = i;
    }
}

static void test_nothing_is_done_in_a_pause(void **state)
{
    (void)state;
    for (uint64_t seed = 600; seed < 640; seed++) {
        random_ops_make(&ops, seed, 1 + (unsigned)(seed * 7 % 40), 12);
        times_make(seed, 3 + seed % 9 * 150);
        replay_ops(seed, 1 + seed % 5 * 37, seed % 2 ? RANDOM_OPS : 700);
        pauses = 0;
    }
}

static void op_add(enum trace_kind kind, uint32_t thread, uint32_t slot, uint64_t size)
{
    ops.op[ops.count++] =
        (struct trace_op){.kind = (uint8_t)kind, .thread = thread, .slot = slot, .size = size};
}

/* Threads that take turns: each makes `blocks` blocks and frees them before the next one does. The
   calls of all would fit one epoch. */
static void turns_make(unsigned threads, unsigned blocks, uint64_t size)
{
    memset(&ops.totals, 0, sizeof(ops.totals));
    ops.count = 0;
    for (uint32_t i = 0; i < threads; i++)
        op_add(TRACE_THREAD_START, i, TRACE_NO_SLOT, 0);
    for (uint32_t turn = 0; turn < 3 * threads; turn++) {
        for (uint32_t i = 0; i < blocks; i++)
            op_add(TRACE_MALLOC, turn % threads, i, size);
        for (uint32_t i = 0; i < blocks; i++)
            op_add(TRACE_FREE, turn % threads, i, 0);
    }
    ops.totals.threads = threads;
    ops.totals.slots = blocks;
    ops.totals.peak_live = blocks * size;
}

static void test_turns_stay_turns(void **state)
{
    (void)state;
    for (uint64_t seed = 400; seed < 420; seed++) {
        turns_make(8, 100, 1000);
        replay_ops(seed, 1000000, RANDOM_OPS);
        assert_live_was_as_recorded();
    }
}

static void test_large_blocks_take_turns_too(void **state)
{
    (void)state;
    for (uint64_t seed = 500; seed < 520; seed++) {
        turns_make(8, 1, 1 << 20);
        replay_ops(seed, 1000000, RANDOM_OPS);
        assert_live_was_as_recorded();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_interleaving_does_the_same_work),
        cmocka_unit_test(test_parts_follow_each_other),
        cmocka_unit_test(test_hundreds_of_threads_at_once),
        cmocka_unit_test(test_live_bytes_stay_what_they_were),
        cmocka_unit_test(test_turns_stay_turns),
        cmocka_unit_test(test_nothing_is_done_in_a_pause),
        cmocka_unit_test(test_large_blocks_take_turns_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
