/*
 * The trace file: what is written comes back, slots are the lowest free ones, the example of
 * docs/trace-format.md is true, and nothing damaged, cut or made up on purpose passes for a trace.
 */
#include "cmocka_all.h"
#include "trace_fixture.h"
#include "workloads/slots.h"
#include "workloads/trace_format.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static char error[TRACE_ERROR_MAX];
static const char ORIGIN[] = "source=recorded\nprogram=demo\n";
static const char LOSSES[] = "unknown_frees=1\n";

/* In place: some file systems go to the disk for each file that is truncated to nothing. */
static void text_write(const char *text, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    assert_int_equal(ftruncate(fd, (off_t)n), 0);
    assert_int_equal(close(fd), 0);
}

/* ops as a trace at `path`. */
static void ops_write(const struct trace_op *ops, size_t n)
{
    unlink(path);
    struct trace_writer *writer = trace_writer_open(path, ORIGIN, error);
    assert_non_null(writer);
    for (size_t i = 0; i < n; i++) {
        if (!trace_writer_add(writer, &ops[i]))
            fail_msg("%s", trace_writer_error(writer));
    }
    assert_true(trace_writer_finish(writer, LOSSES, error));
}

/* Reads the trace at `path`, at most `room` operations into ops. false: `error` tells. */
static bool ops_read(struct trace_op *ops, size_t room, size_t *n)
{
    static struct trace_op block[TRACE_BLOCK_OPS];
    struct trace_reader *reader = trace_reader_open(path, error);
    size_t got = 0;
    bool ok = true;
    *n = 0;
    if (reader == NULL)
        return false;
    while ((ok = trace_reader_next(reader, block, &got)) && got > 0) {
        for (size_t i = 0; i < got && *n + i < room; i++)
            ops[*n + i] = block[i];
        *n += got;
    }
    if (!ok)
        strcpy(error, trace_reader_error(reader));
    trace_reader_close(reader);
    return ok;
}

static bool trace_is_refused(void)
{
    size_t n;
    return !ops_read(NULL, 0, &n);
}

static void assert_refused(const char *what)
{
    error[0] = '\0';
    if (!trace_is_refused())
        fail_msg("taken for a trace, where \"%s\" was expected", what);
    if (strstr(error, what) == NULL || strncmp(error, path, strlen(path)) != 0)
        fail_msg("\"%s\" where \"%s\" was expected", error, what);
    assert_null(strchr(error, '\n'));
}

/* The example of docs/trace-format.md. */
static const struct trace_op example[] = {
    {.kind = TRACE_THREAD_START, .thread = 0, .slot = TRACE_NO_SLOT},
    {.kind = TRACE_MALLOC, .thread = 0, .slot = 0, .size = 100},
    {.kind = TRACE_THREAD_START, .thread = 1, .slot = TRACE_NO_SLOT},
    {.kind = TRACE_CALLOC, .thread = 0, .slot = 1, .size = 8, .count = 3},
    {.kind = TRACE_FREE, .thread = 1, .slot = 0, .flags = TRACE_HANDOFF},
    {.kind = TRACE_MEMALIGN, .thread = 1, .slot = 0, .size = 64, .count = 32},
    {.kind = TRACE_REALLOC,
     .thread = 1,
     .slot = 1,
     .size = 300,
     .time_ns = 5000000,
     .flags = TRACE_HANDOFF},
    {.kind = TRACE_MALLOC,
     .thread = 1,
     .slot = TRACE_NO_SLOT,
     .size = UINT64_C(1) << 63,
     .time_ns = 5000000,
     .flags = TRACE_FAILED},
    {.kind = TRACE_FREE,
     .thread = 1,
     .slot = TRACE_NO_SLOT,
     .time_ns = 5000000,
     .flags = TRACE_NULL},
    {.kind = TRACE_THREAD_END, .thread = 0, .slot = TRACE_NO_SLOT, .time_ns = 5000000},
};
enum { EXAMPLE_OPS = sizeof example / sizeof *example };

static bool op_is_equal(const struct trace_op *a, const struct trace_op *b)
{
    return a->size == b->size && a->count == b->count && a->time_ns == b->time_ns &&
           a->slot == b->slot && a->thread == b->thread && a->kind == b->kind &&
           a->flags == b->flags;
}

static void assert_op_equal(const struct trace_op *got, const struct trace_op *want, size_t i)
{
    if (!op_is_equal(got, want))
        fail_msg("operation %zu: %s size %lu count %lu slot %u thread %u flags %d, not "
                 "%s size %lu count %lu slot %u thread %u flags %d",
                 i, trace_kind_name(got->kind), (unsigned long)got->size, (unsigned long)got->count,
                 got->slot, got->thread, got->flags, trace_kind_name(want->kind),
                 (unsigned long)want->size, (unsigned long)want->count, want->slot, want->thread,
                 want->flags);
}

static void test_example_comes_back(void **state)
{
    (void)state;
    struct trace_op ops[EXAMPLE_OPS];
    size_t n;
    ops_write(example, EXAMPLE_OPS);
    assert_true(ops_read(ops, EXAMPLE_OPS, &n));
    assert_int_equal(n, EXAMPLE_OPS);
    for (size_t i = 0; i < n; i++)
        assert_op_equal(&ops[i], &example[i], i);
}

static void test_totals_and_texts(void **state)
{
    (void)state;
    ops_write(example, EXAMPLE_OPS);
    struct trace_reader *reader = trace_reader_open(path, error);
    assert_non_null(reader);
    assert_string_equal(trace_reader_origin(reader), ORIGIN);
    assert_string_equal(trace_reader_losses(reader), LOSSES);
    const struct trace_totals want = {
        .ops = 10,
        .by_kind = {2, 1, 1, 2, 0, 1, 0, 0, 0, 2, 1},
        .failed = 1,
        .null_frees = 1,
        .handoffs = 2,
        .threads = 2,
        .slots = 2,
        .peak_live = 364,
        .final_live = 364,
        .final_slots = 2,
        .duration_ns = 5000000,
        .bytes_requested = 488,
    };
    assert_memory_equal(trace_reader_totals(reader), &want, sizeof want);
    assert_int_equal(trace_reader_mapped(reader) > 0, 1);
    trace_reader_close(reader);
}

/* Bytes of the dump lines ("00000010  73 6f ...") in the description of the format. */
static size_t dump_read(unsigned char *bytes, size_t room)
{
    char line[512], name[256];
    size_t n = 0;
    const char *slash = strrchr(__FILE__, '/');
    snprintf(name, sizeof name, "%.*s/../docs/trace-format.md", (int)(slash - __FILE__), __FILE__);
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL) {
        unsigned at, byte;
        int used;
        if (sscanf(line, "%8x  %n", &at, &used) != 1 || used != 10 || at != n)
            continue;
        for (const char *text = line + used; n < room && sscanf(text, "%2x", &byte) == 1; text += 3)
            bytes[n++] = (unsigned char)byte;
    }
    fclose(in);
    return n;
}

static unsigned char *file_read(size_t *n)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    unsigned char *bytes = malloc(1 << 24);
    *n = fread(bytes, 1, 1 << 24, in);
    fclose(in);
    return bytes;
}

static void test_documented_bytes(void **state)
{
    (void)state;
    unsigned char dump[4096];
    size_t n;
    ops_write(example, EXAMPLE_OPS);
    unsigned char *bytes = file_read(&n);
    assert_int_equal(dump_read(dump, sizeof dump), n);
    assert_memory_equal(bytes, dump, n);
    free(bytes);
}

/* A made-up program, and what a reader should say of it. */
enum { BLOCKS = 600, THREADS = 5 };

struct program {
    uint64_t random;
    uint32_t writer_slot[BLOCKS]; /* of live blocks; by number of the reader's slot */
    bool live[BLOCKS];
    uint32_t owner[BLOCKS];
    uint64_t time_ns;
    uint32_t next_writer_slot;
    uint32_t threads;
};

static uint64_t program_random(struct program *program, uint64_t below)
{
    program->random ^= program->random << 13;
    program->random ^= program->random >> 7;
    program->random ^= program->random << 17;
    return (program->random >> 11) % below;
}

static uint32_t program_lowest(const struct program *program)
{
    uint32_t slot = 0;
    while (slot < BLOCKS && program->live[slot])
        slot++;
    return slot;
}

static void program_make(struct program *program, struct trace_op *op)
{
    static const uint8_t kinds[] = {TRACE_MALLOC,        TRACE_CALLOC,   TRACE_REALLOC,
                                    TRACE_ALIGNED_ALLOC, TRACE_MEMALIGN, TRACE_POSIX_MEMALIGN,
                                    TRACE_VALLOC,        TRACE_PVALLOC};
    op->kind = kinds[program_random(program, sizeof kinds)];
    op->size = program_random(program, UINT64_C(1) << program_random(program, 30));
    if (op->kind == TRACE_REALLOC)
        op->flags = TRACE_NULL;
    if (op->kind == TRACE_CALLOC)
        op->count = program_random(program, 100);
    if (op_shape(op) & SHAPE_ALIGNED)
        op->count = UINT64_C(1) << program_random(program, 20);
    if (program_random(program, 50) == 0)
        op->flags |= TRACE_FAILED;
    else
        op->slot = program_lowest(program);
}

static void program_name(struct program *program, struct trace_op *op, uint32_t slot)
{
    op->slot = slot;
    op->kind = program_random(program, 3) ? TRACE_FREE : TRACE_REALLOC;
    if (op->kind == TRACE_REALLOC && program_random(program, 10) != 0)
        op->size = 1 + program_random(program, 100000);
    if (op->kind == TRACE_REALLOC && program_random(program, 20) == 0)
        op->flags = TRACE_FAILED;
    else if (program->owner[slot] != op->thread)
        op->flags = TRACE_HANDOFF;
}

/* The next operation as the reader should see it; the writer's differs by its slot. */
static struct trace_op program_step(struct program *program, struct trace_op *written)
{
    program->time_ns += program_random(program, 100) == 0 ? program_random(program, 9000000) : 0;
    struct trace_op op = {
        .time_ns = program->time_ns,
        .slot = TRACE_NO_SLOT,
        .thread = (uint32_t)program_random(program, THREADS),
    };
    uint32_t slot = (uint32_t)program_random(program, BLOCKS);
    if (op.thread >= program->threads) {
        op.thread = program->threads++;
        op.kind = TRACE_THREAD_START;
    } else if (program->live[slot]) {
        program_name(program, &op, slot);
    } else if (program_random(program, 40) == 0) {
        op.kind = TRACE_FREE;
        op.flags = TRACE_NULL;
    } else {
        program_make(program, &op);
    }
    *written = op;
    if (op.slot != TRACE_NO_SLOT) {
        if (trace_op_makes(&op))
            program->writer_slot[op.slot] = program->next_writer_slot++;
        program->live[op.slot] = !trace_op_frees(&op);
        if (!(op.flags & TRACE_FAILED))
            program->owner[op.slot] = op.thread;
        written->slot = program->writer_slot[op.slot];
    }
    op.time_ns -= op.time_ns % FORMAT_TICK_NS;
    return op;
}

static void program_round_trip(uint64_t seed, size_t n)
{
    struct program *program = calloc(1, sizeof *program);
    struct trace_op *written = calloc(n, sizeof *written);
    struct trace_op *want = calloc(n, sizeof *want);
    struct trace_op *got = calloc(n, sizeof *got);
    size_t got_n;
    program->random = seed * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < n; i++)
        want[i] = program_step(program, &written[i]);
    ops_write(written, n);
    if (!ops_read(got, n, &got_n))
        fail_msg("seed %lu: %s", (unsigned long)seed, error);
    assert_int_equal(got_n, n);
    for (size_t i = 0; i < n; i++)
        assert_op_equal(&got[i], &want[i], i);
    free(got);
    free(want);
    free(written);
    free(program);
}

static void test_random_programs_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        program_round_trip(seed, 300 * seed * seed);
    program_round_trip(11, 2 * TRACE_BLOCK_OPS);
    program_round_trip(12, 3 * TRACE_BLOCK_OPS + 1);
}

static void test_empty_trace(void **state)
{
    (void)state;
    size_t n;
    ops_write(NULL, 0);
    assert_true(ops_read(NULL, 0, &n));
    assert_int_equal(n, 0);
}

/* Operations too long for 65536 of them to fit a block: it is cut early. */
static void test_block_of_long_operations(void **state)
{
    (void)state;
    static struct trace_op ops[TRACE_BLOCK_OPS];
    static struct trace_op block[TRACE_BLOCK_OPS];
    size_t n;
    ops[0] = example[0];
    for (size_t i = 1; i < TRACE_BLOCK_OPS; i++)
        ops[i] = (struct trace_op){.kind = TRACE_CALLOC,
                                   .slot = TRACE_NO_SLOT,
                                   .size = UINT64_MAX - i,
                                   .count = UINT64_MAX,
                                   .flags = TRACE_FAILED};
    ops_write(ops, TRACE_BLOCK_OPS);
    struct trace_reader *reader = trace_reader_open(path, error);
    assert_non_null(reader);
    assert_true(trace_reader_next(reader, block, &n));
    assert_in_range(n, 1, TRACE_BLOCK_OPS - 1);
    for (size_t i = 0; i < n; i++)
        assert_op_equal(&block[i], &ops[i], i);
    trace_reader_close(reader);
    assert_true(ops_read(NULL, 0, &n));
    assert_int_equal(n, TRACE_BLOCK_OPS);
}

/* Frees a block and takes its slot from the model, where it becomes the lowest if it is. */
static void slot_release(struct slots *slots, uint64_t *serials, uint32_t slot)
{
    assert_int_equal(slots_find(slots, serials[slot]), slot);
    slots_free(slots, slot, serials[slot]);
    assert_int_equal(slots_find(slots, serials[slot]), TRACE_NO_SLOT);
    serials[slot] = 0;
}

/* Enough slots for four levels of the tree, against a scan. */
static void test_slots_are_the_lowest_free(void **state)
{
    (void)state;
    enum { MOST = 270016, HOLES = 3000 }; /* a multiple of 64: the next slot takes a new word */
    struct slots slots = {0};
    uint64_t *serials = calloc(MOST, sizeof *serials); /* by slot; 0: free */
    struct program dice = {.random = 88172645463325252};
    uint64_t serial = 1;
    for (uint32_t slot = 0; slot < MOST; slot++, serial++) {
        assert_int_equal(slots_make(&slots, serial), slot);
        serials[slot] = serial;
    }
    assert_int_equal(slots.height, 4);
    for (int i = 0; i < HOLES; i++) {
        uint32_t slot = (uint32_t)program_random(&dice, MOST);
        if (serials[slot] != 0)
            slot_release(&slots, serials, slot);
    }
    for (uint32_t slot = 0; slot < MOST; slot++) {
        if (serials[slot] == 0)
            assert_int_equal(slots_make(&slots, serial++), slot);
    }
    assert_int_equal(slots_make(&slots, serial), MOST);
    slots_close(&slots);
    free(serials);
}

static void test_serials_that_do_not_live(void **state)
{
    (void)state;
    struct slots slots = {0};
    assert_int_equal(slots_find(&slots, 1), TRACE_NO_SLOT);
    assert_int_equal(slots_make(&slots, 1), 0);
    assert_int_equal(slots_make(&slots, 64 * 600), 1);
    for (uint64_t serial = 0; serial < 64 * 2000; serial++) {
        uint32_t want = serial == 1 ? 0 : serial == 64 * 600 ? 1 : TRACE_NO_SLOT;
        assert_int_equal(slots_find(&slots, serial), want);
    }
    assert_int_equal(slots_find(&slots, UINT64_MAX), TRACE_NO_SLOT);
    assert_true(slots_rename(&slots, 0, 1, 64 * 600 + 1));
    assert_int_equal(slots_find(&slots, 1), TRACE_NO_SLOT);
    assert_int_equal(slots_find(&slots, 64 * 600 + 1), 0);
    slots_free(&slots, 1, 64 * 600);
    assert_int_equal(slots_find(&slots, 64 * 600), TRACE_NO_SLOT);
    assert_int_equal(slots_find(&slots, 64 * 600 + 1), 0);
    slots_close(&slots);
}

/* What trace.h says of memory, where it is worst: each block lives alone among its neighbours. */
static void test_memory_is_bounded_by_what_lives(void **state)
{
    (void)state;
    enum { LIVE = 1000, SERIALS = 64 * 20000, PAGES = 16 * 4096 };
    struct slots slots = {0};
    for (uint64_t serial = 0; serial < SERIALS; serial++) {
        uint32_t slot = slots_make(&slots, serial);
        assert_int_not_equal(slot, TRACE_NO_SLOT);
        if (serial % 64 != 0)
            slots_free(&slots, slot, serial);
        else if (serial >= 64 * LIVE)
            slots_free(&slots, slots_find(&slots, serial - 64 * LIVE), serial - 64 * LIVE);
    }
    assert_in_range(slots_mapped(&slots), 1, 2 * (273 * LIVE + SERIALS / 8) + PAGES);
    slots_close(&slots);
}

static void test_what_is_no_trace(void **state)
{
    (void)state;
    assert_refused("No such file or directory");
    text_write("", 0);
    assert_refused("not a trace");
    text_write("malloc(3) = 0x1234\n and more text, longer than any header\n", 58);
    assert_refused("not a trace");
    text_write(FORMAT_MAGIC, FORMAT_MAGIC_BYTES);
    assert_refused("cut short");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused("Is a directory");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused("not a regular file");
}

static void test_every_changed_byte(void **state)
{
    (void)state;
    size_t n;
    ops_write(example, EXAMPLE_OPS);
    unsigned char *bytes = file_read(&n);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (unsigned char)(1 << bit);
            text_write((char *)bytes, n);
            if (!trace_is_refused())
                fail_msg("byte %zu, bit %d: not seen", i, bit);
            bytes[i] ^= (unsigned char)(1 << bit);
        }
    }
    free(bytes);
}

static void test_every_length(void **state)
{
    (void)state;
    size_t n;
    ops_write(example, EXAMPLE_OPS);
    unsigned char *bytes = file_read(&n);
    for (size_t length = 0; length < n; length++) {
        text_write((char *)bytes, length);
        if (!trace_is_refused())
            fail_msg("cut at %zu of %zu: not seen", length, n);
    }
    bytes[n] = 0;
    text_write((char *)bytes, n + 1);
    assert_true(trace_is_refused());
    free(bytes);
}

static void test_block_number_in_errors(void **state)
{
    (void)state;
    size_t n;
    program_round_trip(13, 3 * TRACE_BLOCK_OPS);
    unsigned char *bytes = file_read(&n);
    size_t trailer = n - u64_take(bytes + n - FORMAT_TAIL_BYTES);
    const unsigned char *index = bytes + n - FORMAT_TAIL_BYTES - 3 * FORMAT_ENTRY_BYTES;
    assert_true(trailer < n);
    bytes[u64_take(index + 2 * FORMAT_ENTRY_BYTES) + 100] ^= 1;
    text_write((char *)bytes, n);
    assert_refused(": block 2: damaged (checksum)");
    free(bytes);
}

/* A file that can be changed on purpose and sealed again. It has one block. */
struct image {
    unsigned char *bytes;
    size_t n, block, trailer;
};

static struct image image_load(void)
{
    struct image image;
    image.bytes = file_read(&image.n);
    image.block = layout_find(1)->header_bytes + u32_take(image.bytes + 12) + FORMAT_CHECKSUM_BYTES;
    image.trailer = image.n - u64_take(image.bytes + image.n - FORMAT_TAIL_BYTES);
    return image;
}

static struct image image_of_example(void)
{
    ops_write(example, EXAMPLE_OPS);
    return image_load();
}

static void bytes_seal(unsigned char *bytes, size_t from, size_t to)
{
    size_t n = to - FORMAT_CHECKSUM_BYTES - from;
    u64_put(bytes + from + n, XXH64(bytes + from, n, 0));
}

static void image_store(const struct image *image)
{
    bytes_seal(image->bytes, 0, image->block);
    bytes_seal(image->bytes, image->block, image->trailer);
    bytes_seal(image->bytes, image->trailer, image->n);
    text_write((char *)image->bytes, image->n);
}

/* Offset of byte i of a column; the columns are not compressed. */
static size_t image_column(const struct image *image, enum column_name column, size_t i)
{
    struct block_header header;
    size_t at = image->block + layout_find(1)->block_bytes;
    assert_null(block_header_take(&header, layout_find(1), image->bytes + image->block));
    assert_int_equal(header.stored, block_header_raw(&header));
    for (unsigned c = 0; c < column; c++)
        at += header.column[c];
    return at + i;
}

/* Changes one byte of a column of the example. */
static void column_refused(enum column_name column, size_t i, unsigned value, const char *what)
{
    struct image image = image_of_example();
    image.bytes[image_column(&image, column, i)] = (unsigned char)value;
    image_store(&image);
    free(image.bytes);
    assert_refused(what);
}

static void test_hostile_columns(void **state)
{
    (void)state;
    const unsigned handoff = TRACE_HANDOFF << MARK_FLAGS_SHIFT;
    const unsigned null = TRACE_NULL << MARK_FLAGS_SHIFT;
    column_refused(COLUMN_KINDS, 1, 12, "block 0: operation 1: unknown kind");
    column_refused(COLUMN_KINDS, 1, TRACE_MALLOC | null, "operation 1: flags that");
    column_refused(COLUMN_KINDS, 1, TRACE_THREAD_START, "operation 1: a thread starts out of turn");
    column_refused(COLUMN_KINDS, 1, TRACE_THREAD_END, "operation 3: a thread that has ended");
    column_refused(COLUMN_KINDS, 10, TRACE_FREE | null | MARK_THREAD, "trailer: totals do not");
    column_refused(COLUMN_KINDS, 9, TRACE_FREE, "operation 8: impossible name");
    column_refused(COLUMN_KINDS, 8, TRACE_FREE | null, "block 0: its columns are too long");
    column_refused(COLUMN_KINDS, 1, MARK_CLOCK, "block 0: ");
    column_refused(COLUMN_KINDS, 4, TRACE_FREE | MARK_THREAD, "hand-off flag is wrong");
    column_refused(COLUMN_KINDS, 4, TRACE_FREE | MARK_THREAD | null | handoff, "hand-off of no");
    column_refused(COLUMN_COUNTS, 1, 33, "operation 5: alignment is no power of two");
    column_refused(COLUMN_COUNTS, 1, 0, "operation 5: alignment is no power of two");
    column_refused(COLUMN_NAMES, 0, 1, "operation 4: names a block that is not live");
    column_refused(COLUMN_NAMES, 0, 6, "operation 4: names a block that is not live");
    column_refused(COLUMN_NAMES, 1, 0, "operation 6: names a block that is not live");
    column_refused(COLUMN_NAMES, 1, 0x80, "operation 6: impossible name");
    column_refused(COLUMN_THREADS, 1, 2, "operation 3: a thread that has not started");
    column_refused(COLUMN_THREADS, 0, 2, "operation 2: a thread starts out of turn");
    column_refused(COLUMN_THREADS, 0, 0, "operation 2: impossible change of thread");
    column_refused(COLUMN_CLOCKS, 0, 0, "operation 6: impossible step of time");
    column_refused(COLUMN_CLOCKS, 0, 6, "trailer: totals do not agree");
    column_refused(COLUMN_SIZES, 0, 101, "trailer: totals do not agree");
    column_refused(COLUMN_SIZES, 14, 2, "operation 7: impossible size");
    column_refused(COLUMN_SIZES, 14, 0x81, "operation 7: impossible size");
    column_refused(COLUMN_SIZES, 3, 0x02, "its columns are too long");
}

static void test_calloc_that_overflows(void **state)
{
    (void)state;
    const struct trace_op ops[] = {
        example[0],
        {.kind = TRACE_CALLOC,
         .slot = TRACE_NO_SLOT,
         .size = UINT64_C(1) << 40,
         .count = UINT64_C(1) << 40,
         .flags = TRACE_FAILED},
    };
    ops_write(ops, 2);
    struct image image = image_load();
    image.bytes[image_column(&image, COLUMN_KINDS, 1)] = TRACE_CALLOC;
    image_store(&image);
    free(image.bytes);
    assert_refused("operation 1: a calloc of more bytes than can be counted");
}

/* Changes a 32-bit number at an offset from the block's start. */
static void block_refused(size_t offset, uint32_t value, const char *what)
{
    struct image image = image_of_example();
    u32_put(image.bytes + image.block + offset, value);
    image_store(&image);
    free(image.bytes);
    assert_refused(what);
}

static void test_hostile_block_headers(void **state)
{
    (void)state;
    block_refused(0, FORMAT_TRAILER_TAG, "block 0: no block begins here");
    block_refused(4, 0, "block 0: impossible number of operations");
    block_refused(4, TRACE_BLOCK_OPS + 1, "block 0: impossible number of operations");
    block_refused(4, EXAMPLE_OPS - 1, "block 0: its header does not agree with the index");
    block_refused(8, 0, "block 0: its header does not agree with the index");
    block_refused(8, UINT32_MAX, "block 0: its payload is longer");
    block_refused(12, 5, "block 0: operation 0: a thread starts out of turn");
    block_refused(16, FORMAT_RAW_MAX, "block 0: its columns are too long");
    block_refused(16, UINT32_MAX, "block 0: its columns are too long");
    block_refused(16, FORMAT_RAW_MAX / 2, "block 0: its payload cannot be decompressed");
    block_refused(40, 2, "block 0: its header does not agree with the index");
    block_refused(48, 1, "block 0: it does not continue the block before");
    block_refused(52, UINT32_MAX, "block 0: impossible time");
}

static void header_refused(size_t offset, uint32_t value, const char *what)
{
    struct image image = image_of_example();
    u32_put(image.bytes + offset, value);
    image_store(&image);
    free(image.bytes);
    assert_refused(what);
}

static void test_hostile_headers(void **state)
{
    (void)state;
    header_refused(8, 3, "header: version 3, but this program reads 1");
    header_refused(12, UINT32_MAX, "header: origin text is too long");
    header_refused(12, TRACE_TEXT_MAX, "cut short");
    header_refused(12, 3, "header: damaged (checksum)");
    header_refused(16, 0, "header: origin text holds a zero byte");
}

/* Changes a 64-bit number at an offset from the trailer's start, or from the end if negative. */
static void trailer_refused(long offset, uint64_t value, const char *what)
{
    struct image image = image_of_example();
    u64_put(image.bytes + (offset < 0 ? image.n : image.trailer) + offset, value);
    image_store(&image);
    free(image.bytes);
    assert_refused(what);
}

static void test_hostile_trailers(void **state)
{
    (void)state;
    const long tail = -FORMAT_TAIL_BYTES;
    const long entry = tail - FORMAT_ENTRY_BYTES;
    trailer_refused(0, 0, "trailer: its parts do not fit its length");
    trailer_refused(8, UINT64_MAX, "trailer: its parts do not fit its length");
    trailer_refused(8, sizeof LOSSES - 1, "trailer: its parts do not fit its length");
    trailer_refused(16, 0, "trailer: entry 0 of the index is impossible");
    trailer_refused(16, 4, "trailer: totals do not agree with the operations");
    trailer_refused(16, UINT64_MAX, "trailer: entry 0 of the index is impossible");
    trailer_refused(entry, 0, "trailer: the index does not begin at the first block");
    trailer_refused(entry, UINT64_MAX, "trailer: the index does not begin at the first block");
    trailer_refused(entry + 8, UINT64_MAX, "trailer: entry 0 of the index is impossible");
    trailer_refused(entry + 8, EXAMPLE_OPS + 1, "trailer: totals do not agree with the index");
    trailer_refused(entry + 16, 2, "trailer: the index does not begin at the first block");
    trailer_refused(tail, 0, "trailer: impossible length");
    trailer_refused(tail, UINT64_MAX, "trailer: impossible length");
    trailer_refused(tail + 8, 0, "cut short (no trailer at its end)");
}

/* Whatever number of the totals is a lie, little or great, it is found out. */
static void test_totals_that_lie(void **state)
{
    (void)state;
    for (int i = 0; i < FORMAT_TOTALS; i++) {
        long offset = layout_find(1)->trailer_bytes + 8L * i;
        struct image image = image_of_example();
        uint64_t true_value = u64_take(image.bytes + image.trailer + offset);
        free(image.bytes);
        trailer_refused(offset, true_value + 1, "trailer: totals");
        trailer_refused(offset, UINT64_MAX, "trailer: totals");
    }
}

/* Callers size their tables by the totals before they read on: what cannot be is no table's size.
 */
static void test_great_totals_are_refused_at_once(void **state)
{
    (void)state;
    const long slots = layout_find(1)->trailer_bytes + (long)offsetof(struct trace_totals, slots);
    const long threads =
        layout_find(1)->trailer_bytes + (long)offsetof(struct trace_totals, threads);
    trailer_refused(slots, UINT32_MAX - 1, "trailer: totals cannot be true");
    trailer_refused(threads, TRACE_THREADS_MAX, "trailer: totals cannot be true");
    assert_null(trace_reader_open(path, error));
}

/* Sealed nonsense everywhere: it may even be a trace, but never a crash. */
static void test_sealed_random_changes(void **state)
{
    (void)state;
    struct program dice = {.random = 20231123};
    program_round_trip(14, 5000);
    struct image image = image_load();
    unsigned refused = 0;
    for (int i = 0; i < 3000; i++) {
        size_t at = image.block + program_random(&dice, i % 2 ? layout_find(1)->block_bytes + 200
                                                              : image.n - image.block);
        unsigned char before = image.bytes[at];
        image.bytes[at] = (unsigned char)program_random(&dice, 256);
        image_store(&image);
        refused += trace_is_refused();
        image.bytes[at] = before;
    }
    assert_true(refused > 2500);
    free(image.bytes);
}

/* The same within columns, where no compression shields the decoder. */
static void test_sealed_random_columns(void **state)
{
    (void)state;
    struct program dice = {.random = 20231124};
    struct image image = image_of_example();
    size_t first = image_column(&image, COLUMN_KINDS, 0);
    for (int i = 0; i < 5000; i++) {
        unsigned char before[8];
        size_t at = first + program_random(&dice, image.trailer - 16 - first);
        memcpy(before, image.bytes + at, sizeof before);
        u64_put(image.bytes + at, dice.random);
        image_store(&image);
        trace_is_refused();
        memcpy(image.bytes + at, before, sizeof before);
    }
    free(image.bytes);
}

/* Operations after the example's first two that make no sense. */
static void op_refused(struct trace_op op, const char *what)
{
    struct trace_writer *writer = trace_writer_open(path, "", error);
    assert_non_null(writer);
    assert_true(trace_writer_add(writer, &example[0]));
    assert_true(trace_writer_add(writer, &example[1]));
    assert_false(trace_writer_add(writer, &op));
    assert_non_null(strstr(trace_writer_error(writer), what));
    assert_false(trace_writer_add(writer, &example[2]));
    assert_false(trace_writer_finish(writer, "", error));
    assert_non_null(strstr(error, what));
    assert_int_equal(access(path, F_OK), -1);
}

static void test_writer_refuses_nonsense(void **state)
{
    (void)state;
    op_refused((struct trace_op){.kind = TRACE_FREE, .slot = 1}, "free of a slot that is not live");
    op_refused((struct trace_op){.kind = TRACE_MALLOC, .slot = 0}, "malloc of a slot that is live");
    op_refused((struct trace_op){.kind = TRACE_MALLOC, .slot = TRACE_NO_SLOT}, "without a slot");
    op_refused((struct trace_op){.kind = TRACE_MALLOC, .slot = 1, .thread = 1}, "has not started");
    op_refused((struct trace_op){.kind = TRACE_THREAD_START, .thread = 2}, "starts out of turn");
    op_refused((struct trace_op){.kind = TRACE_MEMALIGN, .slot = 1, .count = 3}, "power of two");
    op_refused((struct trace_op){.kind = TRACE_KINDS}, "unknown kind");
    op_refused((struct trace_op){.kind = TRACE_MALLOC, .slot = 1, .flags = TRACE_NULL}, "flags");
    op_refused((struct trace_op){.kind = TRACE_MALLOC, .slot = 1, .size = UINT64_MAX},
               "more bytes");
}

static void test_writer_refuses_time_going_back(void **state)
{
    (void)state;
    struct trace_op op = {.kind = TRACE_MALLOC, .slot = 0, .time_ns = 9000000};
    struct trace_writer *writer = trace_writer_open(path, "", error);
    assert_true(trace_writer_add(writer, &example[0]));
    assert_true(trace_writer_add(writer, &op));
    op.slot = 1;
    op.time_ns = 8000000;
    assert_false(trace_writer_add(writer, &op));
    assert_non_null(strstr(trace_writer_error(writer), "time goes back"));
    trace_writer_abandon(writer);
}

static void test_operation_after_thread_end(void **state)
{
    (void)state;
    struct trace_writer *writer = trace_writer_open(path, "", error);
    const struct trace_op end = {.kind = TRACE_THREAD_END};
    assert_true(trace_writer_add(writer, &example[0]));
    assert_true(trace_writer_add(writer, &end));
    assert_false(trace_writer_add(writer, &example[1]));
    assert_non_null(strstr(trace_writer_error(writer), "a thread that has ended"));
    trace_writer_abandon(writer);
}

static void test_file_appears_when_finished(void **state)
{
    (void)state;
    text_write("old", 3);
    struct trace_writer *writer = trace_writer_open(path, "", error);
    assert_non_null(writer);
    assert_true(trace_writer_add(writer, &example[0]));
    assert_refused("not a trace");
    assert_true(trace_writer_finish(writer, "", error));
    assert_false(trace_is_refused());
}

static void test_abandoned_file_is_removed(void **state)
{
    (void)state;
    struct trace_writer *writer = trace_writer_open(path, "", error);
    assert_non_null(writer);
    assert_true(trace_writer_add(writer, &example[0]));
    trace_writer_abandon(writer);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_unwritable_places(void **state)
{
    (void)state;
    assert_null(trace_writer_open("/nowhere/at/all.trace", "", error));
    assert_string_equal(error, "/nowhere/at/all.trace: No such file or directory");
    assert_null(trace_writer_open(folder, "", error));
    assert_non_null(strstr(error, "Is a directory"));
    assert_null(trace_writer_open("/dev/full", "", error));
    assert_string_equal(error, "/dev/full: No space left on device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
        TEST(test_example_comes_back),
        TEST(test_totals_and_texts),
        TEST(test_documented_bytes),
        TEST(test_random_programs_come_back),
        TEST(test_empty_trace),
        TEST(test_block_of_long_operations),
        TEST(test_slots_are_the_lowest_free),
        TEST(test_serials_that_do_not_live),
        TEST(test_memory_is_bounded_by_what_lives),
        TEST(test_what_is_no_trace),
        TEST(test_every_changed_byte),
        TEST(test_every_length),
        TEST(test_block_number_in_errors),
        TEST(test_hostile_columns),
        TEST(test_calloc_that_overflows),
        TEST(test_hostile_block_headers),
        TEST(test_hostile_headers),
        TEST(test_hostile_trailers),
        TEST(test_totals_that_lie),
        TEST(test_great_totals_are_refused_at_once),
        TEST(test_sealed_random_changes),
        TEST(test_sealed_random_columns),
        TEST(test_writer_refuses_nonsense),
        TEST(test_writer_refuses_time_going_back),
        TEST(test_operation_after_thread_end),
        TEST(test_file_appears_when_finished),
        TEST(test_abandoned_file_is_removed),
        TEST(test_unwritable_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
