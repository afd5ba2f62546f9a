/*
 * Parts of traces: cut, filter and merge on random traces of several threads. What comes out is
 * read with the reader, which refuses any trace that is not valid, and compared with the source.
 */
#include "cmocka_all.h"
#include "trace_fixture.h"
#include "workloads/cut.h"
#include "workloads/filter.h"
#include "workloads/merge.h"
#include "workloads/prng.h"
#include "workloads/trace.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, LIVE_MAX = 60, OPS = 4000, PARTS_MAX = 8 };

/* All of a trace in memory. */
struct whole {
    struct trace_op *ops;
    size_t n;
    struct trace_totals totals;
    char losses[1024];
};

static char part_path[PARTS_MAX][160];
static struct whole source, parts[PARTS_MAX];

static void trace_load(const char *from, struct whole *whole)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    char error[TRACE_ERROR_MAX];
    size_t n;
    struct trace_reader *reader = trace_reader_open(from, error);
    if (reader == NULL)
        fail_msg("%s", error);
    free(whole->ops);
    *whole = (struct whole){.totals = *trace_reader_totals(reader)};
    snprintf(whole->losses, sizeof whole->losses, "%s", trace_reader_losses(reader));
    whole->ops = malloc((whole->totals.ops + 1) * sizeof *whole->ops);
    do {
        if (!trace_reader_next(reader, ops, &n))
            fail_msg("%s", trace_reader_error(reader));
        memcpy(whole->ops + whole->n, ops, n * sizeof *ops);
        whole->n += n;
    } while (n > 0);
    trace_reader_close(reader);
}

/* One random call of a running thread; blocks live in slots 0 to LIVE_MAX - 1. */
static struct trace_op op_draw(struct prng *prng, bool live[LIVE_MAX])
{
    static const uint8_t makes[] = {TRACE_MALLOC, TRACE_CALLOC, TRACE_MEMALIGN, TRACE_REALLOC};
    struct trace_op op = {.slot = (uint32_t)prng_below(prng, LIVE_MAX)};
    unsigned die = (unsigned)prng_below(prng, 20);
    if (die == 0)
        return (struct trace_op){
            .slot = TRACE_NO_SLOT, .kind = TRACE_MALLOC, .flags = TRACE_FAILED, .size = 1 << 20};
    if (die == 1)
        return (struct trace_op){.slot = TRACE_NO_SLOT, .kind = TRACE_FREE, .flags = TRACE_NULL};
    if (!live[op.slot]) {
        op.kind = makes[prng_below(prng, 4)];
        op.flags = op.kind == TRACE_REALLOC ? TRACE_NULL : 0;
        op.size = prng_below(prng, 300);
        op.count = op.kind == TRACE_CALLOC ? 3 : op.kind == TRACE_MEMALIGN ? 64 : 0;
    } else if (die < 8) {
        op.kind = TRACE_REALLOC;
        op.size = die < 4 ? 0 : prng_below(prng, 300);
        op.flags = die == 7 ? TRACE_FAILED : 0;
    } else {
        op.kind = TRACE_FREE;
    }
    live[op.slot] = (live[op.slot] || trace_op_makes(&op)) && !trace_op_frees(&op);
    return op;
}

static void op_must(struct trace_writer *writer, struct trace_op op)
{
    if (!trace_writer_add(writer, &op))
        fail_msg("%s", trace_writer_error(writer));
}

/* Threads begin one after the other; the second one ends in the middle. */
static void source_make(uint64_t seed)
{
    struct prng prng = prng_of_seed(seed, 0);
    char error[TRACE_ERROR_MAX];
    bool live[LIVE_MAX] = {false};
    uint64_t time_ns = 0;
    uint32_t threads = 0;
    struct trace_writer *writer =
        trace_writer_open(path, "source=made up\ndate=2026-01-01T00:00:00Z\n", error);
    for (unsigned i = 0; i < OPS; i++) {
        struct trace_op end = {.slot = TRACE_NO_SLOT, .kind = TRACE_THREAD_END, .thread = 1};
        time_ns += prng_below(&prng, 10) == 0 ? 1000000 : 0;
        end.time_ns = time_ns;
        if (i % (OPS / 5) == 0 && threads < THREADS)
            op_must(writer, (struct trace_op){.slot = TRACE_NO_SLOT,
                                              .kind = TRACE_THREAD_START,
                                              .time_ns = time_ns,
                                              .thread = threads++});
        if (i == OPS / 2)
            op_must(writer, end);
        struct trace_op op = op_draw(&prng, live);
        op.thread = (uint32_t)prng_below(&prng, threads);
        if (op.thread == 1 && i >= OPS / 2)
            op.thread = 0;
        op.time_ns = time_ns;
        op_must(writer, op);
    }
    assert_true(trace_writer_finish(writer, "unknown_frees=3\n", error));
    trace_load(path, &source);
}

/* Runs one of the mains with the words of `line` and "-o" the path of this part, and loads it. */
static void part_make(int (*command)(int, char **), unsigned part, const char *line)
{
    char words[256];
    char *argv[16] = {"trace"};
    int argc = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = strcmp(word, "FILE") == 0 ? path : word;
    argv[argc++] = "-o";
    argv[argc++] = part_path[part];
    optind = 0;
    assert_int_equal(command(argc, argv), 0);
    trace_load(part_path[part], &parts[part]);
}

static int parts_prepare(void **state)
{
    int status = folder_make(state);
    for (int i = 0; i < PARTS_MAX; i++)
        snprintf(part_path[i], sizeof part_path[i], "%s/%d.trace", folder, i);
    return status;
}

static int parts_remove(void **state)
{
    for (int i = 0; i < PARTS_MAX; i++) {
        unlink(part_path[i]);
        free(parts[i].ops);
        parts[i].ops = NULL;
    }
    free(source.ops);
    source.ops = NULL;
    return folder_remove(state);
}

static bool op_is_same(const struct trace_op *a, const struct trace_op *b)
{
    return a->kind == b->kind && a->size == b->size && a->count == b->count && a->flags == b->flags;
}

static void test_cut_of_all_is_the_same(void **state)
{
    (void)state;
    source_make(1);
    part_make(cut_main, 0, "FILE --ops 0:");
    part_make(cut_main, 1, "FILE --time : --threads 0-9");
    for (int part = 0; part < 2; part++) {
        assert_int_equal(parts[part].n, source.n);
        assert_memory_equal(parts[part].ops, source.ops, source.n * sizeof *source.ops);
        assert_memory_equal(&parts[part].totals, &source.totals, sizeof source.totals);
        assert_string_equal(parts[part].losses, source.losses);
    }
}

/* The operations of [from, to) without thread starts stand at the end of the part, by threads and
   at times that are told apart as in the source. */
static void assert_is_range(const struct whole *part, size_t from, size_t to, uint64_t base_ns)
{
    uint32_t number[THREADS] = {0};
    size_t at = part->n;
    for (size_t i = to; i-- > from;) {
        const struct trace_op *op = &source.ops[i];
        if (op->kind == TRACE_THREAD_START)
            continue;
        while (at > 0 && part->ops[at - 1].kind == TRACE_THREAD_START)
            at--;
        assert_true(at > 0);
        const struct trace_op *found = &part->ops[--at];
        assert_true(op_is_same(found, op));
        assert_int_equal(found->time_ns, op->time_ns - base_ns);
        assert_true(number[op->thread] == 0 || number[op->thread] == found->thread + 1);
        number[op->thread] = found->thread + 1;
    }
    for (size_t i = 0; i < at; i++)
        assert_true(part->ops[i].kind >= TRACE_THREAD_START || trace_op_makes(&part->ops[i]));
}

/* Bytes and blocks live after so many operations. */
static uint64_t live_after(size_t n, uint64_t *blocks)
{
    uint64_t bytes[LIVE_MAX] = {0}, sum = 0;
    *blocks = 0;
    for (size_t i = 0; i < n; i++) {
        const struct trace_op *op = &source.ops[i];
        bool resizes = op->kind == TRACE_REALLOC && op->flags % TRACE_HANDOFF == 0;
        if (trace_op_frees(op))
            bytes[op->slot] = 0;
        else if (trace_op_makes(op) || resizes)
            bytes[op->slot] = trace_op_bytes(op);
        *blocks += trace_op_makes(op);
        *blocks -= trace_op_frees(op);
    }
    for (int i = 0; i < LIVE_MAX; i++)
        sum += bytes[i];
    return sum;
}

static void test_cuts_of_consecutive_ranges(void **state)
{
    (void)state;
    source_make(2);
    for (size_t from = 0; from < source.n; from += 611) {
        char line[64];
        uint64_t blocks;
        size_t to = from + 611 < source.n ? from + 611 : source.n;
        uint64_t base = from > 0 ? source.ops[from - 1].time_ns : 0;
        snprintf(line, sizeof line, "FILE --ops %zu:%zu", from, to);
        part_make(cut_main, 0, line);
        assert_is_range(&parts[0], from, to, base);
        assert_int_equal(parts[0].totals.final_live, live_after(to, &blocks));
        assert_int_equal(parts[0].totals.final_slots, blocks);
    }
}

static void test_cut_by_time(void **state)
{
    (void)state;
    source_make(3);
    size_t from = 0, to = 0;
    while (source.ops[from].time_ns < 100000000)
        from++;
    while (source.ops[to].time_ns < 250000000)
        to++;
    part_make(cut_main, 0, "FILE --time 0.1:0.25");
    assert_is_range(&parts[0], from, to, 100000000);
}

static void test_cut_before_the_first_and_behind_the_last(void **state)
{
    (void)state;
    uint64_t blocks;
    source_make(4);
    part_make(cut_main, 0, "FILE --ops 0:0");
    assert_int_equal(parts[0].n, 0);
    part_make(cut_main, 0, "FILE --ops 1000000:");
    assert_int_equal(parts[0].totals.final_live, live_after(source.n, &blocks));
    assert_int_equal(parts[0].totals.by_kind[TRACE_FREE], 0);
}

/* What one thread's successful calls asked for is what its cut asks for. */
static void test_cut_by_thread(void **state)
{
    (void)state;
    source_make(5);
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        char line[64];
        uint64_t bytes = 0, failed = 0;
        for (size_t i = 0; i < source.n; i++) {
            const struct trace_op *op = &source.ops[i];
            bool asks = !(op->flags & TRACE_FAILED) && op->thread == thread;
            bytes += asks ? trace_op_bytes(op) : 0;
            failed += op->thread == thread && op->kind == TRACE_MALLOC && op->flags & TRACE_FAILED;
        }
        snprintf(line, sizeof line, "FILE --threads %u", thread);
        part_make(cut_main, 0, line);
        assert_int_equal(parts[0].totals.threads, 1);
        assert_int_equal(parts[0].totals.handoffs, 0);
        assert_int_equal(parts[0].totals.bytes_requested, bytes);
        assert_true(parts[0].totals.failed >= failed);
        assert_non_null(strstr(parts[0].losses, "left_out_frees="));
        assert_non_null(strstr(parts[0].losses, "released="));
        assert_non_null(strstr(parts[0].losses, "unknown_frees=3"));
    }
}

/* Filters that between them choose every block once: nothing is lost and nothing twice. */
static void assert_parts_make_a_whole(unsigned n)
{
    uint64_t bytes = 0, live = 0, blocks = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += parts[i].totals.bytes_requested;
        live += parts[i].totals.final_live;
        blocks += parts[i].totals.final_slots;
        assert_true(parts[i].totals.bytes_requested > 0);
    }
    assert_int_equal(bytes, source.totals.bytes_requested);
    assert_int_equal(live, source.totals.final_live);
    assert_int_equal(blocks, source.totals.final_slots);
}

static void test_filters_by_size(void **state)
{
    (void)state;
    source_make(6);
    part_make(filter_main, 0, "FILE --sizes :99");
    part_make(filter_main, 1, "FILE --sizes 100:199");
    part_make(filter_main, 2, "FILE --sizes 200:");
    assert_parts_make_a_whole(3);
    for (size_t i = 0; i < parts[1].n; i++) {
        const struct trace_op *op = &parts[1].ops[i];
        uint64_t bytes = trace_op_bytes(op);
        bool asks = trace_op_makes(op) ||
                    (op->kind == TRACE_REALLOC && bytes > 0 && !(op->flags & TRACE_FAILED));
        assert_true(!asks || (bytes >= 100 && bytes <= 199));
    }
}

static void test_filters_by_kind(void **state)
{
    (void)state;
    source_make(7);
    part_make(filter_main, 0, "FILE --kinds malloc,memalign");
    part_make(filter_main, 1, "FILE --kinds calloc");
    part_make(filter_main, 2, "FILE --kinds realloc");
    assert_parts_make_a_whole(3);
    assert_int_equal(parts[1].totals.by_kind[TRACE_MALLOC], 0);
    assert_int_equal(parts[1].totals.by_kind[TRACE_CALLOC], source.totals.by_kind[TRACE_CALLOC]);
    assert_int_equal(parts[0].totals.by_kind[TRACE_CALLOC], 0);
}

static void test_filters_by_thread(void **state)
{
    (void)state;
    source_make(8);
    part_make(filter_main, 0, "FILE --threads 0,2");
    part_make(filter_main, 1, "FILE --threads 1");
    part_make(filter_main, 2, "FILE --threads 3");
    assert_parts_make_a_whole(3);
    assert_int_equal(parts[0].totals.null_frees + parts[1].totals.null_frees +
                         parts[2].totals.null_frees,
                     source.totals.null_frees);
    assert_true(parts[1].totals.handoffs > 0);
}

static void test_filter_of_all(void **state)
{
    (void)state;
    source_make(9);
    part_make(filter_main, 0, "FILE");
    assert_memory_equal(&parts[0].totals, &source.totals, sizeof source.totals);
}

static void test_merge_is_the_sum(void **state)
{
    (void)state;
    char line[700];
    source_make(10);
    part_make(cut_main, 0, "FILE --ops 100:2000");
    part_make(filter_main, 1, "FILE --sizes 50:100");
    snprintf(line, sizeof line, "%s FILE %s", part_path[0], part_path[1]);
    part_make(merge_main, 2, line);
    const struct trace_totals *a = &parts[0].totals, *b = &source.totals, *c = &parts[1].totals;
    const struct trace_totals *sum = &parts[2].totals;
    for (int kind = 0; kind < TRACE_KINDS; kind++)
        assert_int_equal(sum->by_kind[kind],
                         a->by_kind[kind] + b->by_kind[kind] + c->by_kind[kind]);
    assert_int_equal(sum->bytes_requested,
                     a->bytes_requested + b->bytes_requested + c->bytes_requested);
    assert_int_equal(sum->handoffs, a->handoffs + b->handoffs + c->handoffs);
    assert_int_equal(sum->failed, a->failed + b->failed + c->failed);
    assert_int_equal(sum->threads, a->threads + b->threads + c->threads);
    assert_int_equal(sum->final_live, a->final_live + b->final_live + c->final_live);
    assert_true(sum->peak_live <= a->peak_live + b->peak_live + c->peak_live);
    assert_int_equal(sum->duration_ns, b->duration_ns);
    assert_non_null(strstr(parts[2].losses, "unknown_frees=9\n"));
}

/* The files of one thread each, so that a thread of the merge tells the file. */
static void file_make(unsigned part, const char *origin, const uint64_t *ms, unsigned n)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer = trace_writer_open(part_path[part], origin, error);
    assert_non_null(writer);
    op_must(writer, (struct trace_op){.slot = TRACE_NO_SLOT, .kind = TRACE_THREAD_START});
    for (uint32_t i = 0; i < n; i++)
        op_must(writer, (struct trace_op){.slot = i, .size = i, .time_ns = ms[i] * 1000000});
    assert_true(trace_writer_finish(writer, "", error));
}

static void assert_sizes(const struct whole *whole, const char *want)
{
    char text[256] = "";
    for (size_t i = 0; i < whole->n; i++) {
        if (whole->ops[i].kind == TRACE_MALLOC)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%c%u ",
                     'a' + (int)whole->ops[i].thread, (unsigned)whole->ops[i].size);
    }
    assert_string_equal(text, want);
}

static void test_merge_goes_by_time(void **state)
{
    (void)state;
    char line[700];
    file_make(0, "date=2026-01-01T10:00:01Z\n", (uint64_t[]){0, 5, 5, 9}, 4);
    file_make(1, "date=2026-01-01T10:00:00Z\n", (uint64_t[]){1, 5, 1005, 1006}, 4);
    snprintf(line, sizeof line, "%s %s", part_path[0], part_path[1]);
    part_make(merge_main, 2, line);
    assert_sizes(&parts[2], "a0 b0 a1 a2 b1 a3 b2 b3 ");
    snprintf(line, sizeof line, "--by-date %s %s", part_path[0], part_path[1]);
    part_make(merge_main, 2, line);
    assert_sizes(&parts[2], "a0 a1 b0 b1 b2 a2 a3 b3 ");
}

static void test_merge_without_times_goes_by_share(void **state)
{
    (void)state;
    char line[700];
    file_make(0, "", (uint64_t[]){0, 0, 0, 0, 0}, 5);
    file_make(1, "", (uint64_t[]){0, 500}, 2);
    snprintf(line, sizeof line, "%s %s", part_path[0], part_path[1]);
    part_make(merge_main, 2, line);
    assert_sizes(&parts[2], "a0 a1 b0 a2 a3 b1 a4 ");
}

static void test_merge_by_date_wants_dates(void **state)
{
    (void)state;
    char *argv[] = {"merge", "--by-date", part_path[0], path, "-o", part_path[1], NULL};
    source_make(11);
    file_make(0, "date=some day\n", (uint64_t[]){0}, 1);
    optind = 0;
    assert_int_equal(merge_main(6, argv), 2);
    assert_int_equal(access(part_path[1], F_OK), -1);
}

/* The source is these operations. */
static void source_write(const struct trace_op *ops, size_t n)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer = trace_writer_open(path, "", error);
    for (size_t i = 0; i < n; i++) {
        struct trace_op op = ops[i];
        op.slot = op.kind >= TRACE_THREAD_START ? (uint32_t)TRACE_NO_SLOT : op.slot;
        op_must(writer, op);
    }
    assert_true(trace_writer_finish(writer, "", error));
}

static void test_what_was_live_is_made_in_its_order_by_its_threads(void **state)
{
    (void)state;
    const struct trace_op ops[] = {
        {.kind = TRACE_THREAD_START},
        {.kind = TRACE_MALLOC, .size = 1, .slot = 0},
        {.kind = TRACE_THREAD_START, .thread = 1},
        {.kind = TRACE_MALLOC, .size = 2, .slot = 1, .thread = 1},
        {.kind = TRACE_MALLOC, .size = 3, .slot = 2, .thread = 1},
        {.kind = TRACE_REALLOC, .size = 20, .slot = 0},
        {.kind = TRACE_THREAD_END, .thread = 1},
        {.kind = TRACE_MALLOC, .size = 4, .slot = 3},
    };
    source_write(ops, 8);
    part_make(cut_main, 0, "FILE --ops 7:");
    assert_sizes(&parts[0], "a2 a3 b20 b4 ");
    assert_int_equal(parts[0].totals.by_kind[TRACE_THREAD_END], 1);
    assert_int_equal(parts[0].ops[5].kind, TRACE_THREAD_END);
}

static void test_who_made_a_block_is_not_forgotten(void **state)
{
    (void)state;
    const struct trace_op ops[] = {
        {.kind = TRACE_THREAD_START},
        {.kind = TRACE_THREAD_START, .thread = 1},
        {.kind = TRACE_MALLOC, .size = 50, .thread = 1},
        {.kind = TRACE_REALLOC, .size = 200},
        {.kind = TRACE_REALLOC, .size = 60},
        {.kind = TRACE_REALLOC, .size = 300},
        {.kind = TRACE_REALLOC, .size = 70},
    };
    source_write(ops, 7);
    part_make(filter_main, 0, "FILE --threads 1 --sizes :100 --kinds malloc");
    assert_int_equal(parts[0].totals.bytes_requested, 50 + 60 + 70);
    assert_int_equal(parts[0].totals.final_live, 70);
    assert_int_equal(parts[0].totals.by_kind[TRACE_FREE], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, parts_prepare, parts_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cut_of_all_is_the_same),
        TEST(test_cuts_of_consecutive_ranges),
        TEST(test_cut_by_time),
        TEST(test_cut_before_the_first_and_behind_the_last),
        TEST(test_cut_by_thread),
        TEST(test_what_was_live_is_made_in_its_order_by_its_threads),
        TEST(test_who_made_a_block_is_not_forgotten),
        TEST(test_filters_by_size),
        TEST(test_filters_by_kind),
        TEST(test_filters_by_thread),
        TEST(test_filter_of_all),
        TEST(test_merge_is_the_sum),
        TEST(test_merge_goes_by_time),
        TEST(test_merge_without_times_goes_by_share),
        TEST(test_merge_by_date_wants_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
