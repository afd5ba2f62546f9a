/*
 * What version 2 of the trace file has beside the calls: gaps, sites and what was present. They
 * come back, cost nothing where they are not asked for, and nothing made up passes for them.
 */
#include "cmocka_all.h"
#include "trace_fixture.h"
#include "workloads/pages.h"
#include "workloads/sites.h"
#include "workloads/sites_file.h"
#include "workloads/trace_format.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { OPS = 3 * TRACE_BLOCK_OPS / 2, DEMO_OPS = 6, ROOM = 1 << 12 };

static char error[TRACE_ERROR_MAX];
static struct trace_op written[OPS], block[TRACE_BLOCK_OPS];

/* Blocks 0 and 1 are made, and resized or freed with some of them present. */
static const struct trace_op demo[DEMO_OPS] = {
    {.kind = TRACE_THREAD_START, .slot = TRACE_NO_SLOT},
    {.kind = TRACE_MALLOC, .size = 5000, .site = 2},
    {.kind = TRACE_CALLOC, .slot = 1, .size = 10, .count = 20, .gap_ns = 1000},
    {.kind = TRACE_REALLOC, .size = 9000, .site = 3, .gap_ns = 40, .present = 1 + 4096},
    {.kind = TRACE_FREE, .slot = 1, .site = 1, .present = 1},
    {.kind = TRACE_THREAD_END, .slot = TRACE_NO_SLOT, .gap_ns = 7},
};

static struct sites table_make(void)
{
    static const uint8_t id[] = {0xde, 0xad, 0xbe, 0xef};
    struct sites sites = {0};
    assert_int_equal(sites_add_module(&sites, 0x555500000000, "/bin/demo", id, sizeof id), 1);
    assert_int_equal(sites_add_module(&sites, 0x7f0000000000, "/lib/libdemo.so", NULL, 0), 2);
    assert_int_equal(sites_add(&sites, (struct site){0, 1, 0x1234}), 1);
    assert_int_equal(sites_add(&sites, (struct site){1, 2, 0x99}), 2);
    assert_int_equal(sites_add(&sites, (struct site){0, 0, 0x7fff12345678}), 3);
    assert_int_equal(sites_add(&sites, (struct site){1, 2, 0x99}), 2);
    return sites;
}

static void ops_write(const struct trace_op *ops, size_t n, unsigned columns)
{
    struct sites sites = table_make();
    struct trace_writer *writer = trace_writer_open_columns(path, "", columns, error);
    assert_non_null(writer);
    trace_writer_sites(writer, &sites);
    for (size_t i = 0; i < n; i++) {
        if (!trace_writer_add(writer, &ops[i]))
            fail_msg("%s", trace_writer_error(writer));
    }
    assert_true(trace_writer_finish(writer, "", error));
    sites_close(&sites);
}

/* What the reader should say of what was written. */
static void assert_told(const struct trace_op *got, const struct trace_op *want, unsigned columns)
{
    bool changes = op_shape(want) & (SHAPE_FREES | SHAPE_RESIZES);
    uint64_t gap = gap_decode(gap_encode(want->gap_ns));
    assert_int_equal(got->gap_ns, columns & TRACE_GAPS ? gap : 0);
    assert_int_equal(got->site, columns & TRACE_SITES ? want->site : 0);
    assert_int_equal(got->present, columns & TRACE_PRESENT && changes ? want->present : 0);
    assert_int_equal(got->size, want->size);
}

static void ops_check(const struct trace_op *ops, size_t n, unsigned columns)
{
    size_t at = 0, got;
    struct trace_reader *reader = trace_reader_open(path, error);
    if (reader == NULL)
        fail_msg("%s", error);
    assert_int_equal(trace_reader_columns(reader), columns);
    for (; trace_reader_next(reader, block, &got) && got > 0; at += got) {
        for (size_t i = 0; i < got; i++)
            assert_told(&block[i], &ops[at + i], columns);
    }
    assert_string_equal(trace_reader_error(reader), "");
    assert_int_equal(at, n);
    trace_reader_close(reader);
}

static uint64_t draw(uint64_t below)
{
    static uint64_t random = 88172645463325252;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return (random >> 11) % below;
}

static void test_gaps_are_near(void **state)
{
    (void)state;
    for (unsigned code = 0; code < GAP_CODES; code++) {
        assert_int_equal(gap_encode(gap_decode(code)), code);
        assert_true(code == 0 || gap_decode(code) > gap_decode(code - 1));
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t ns = draw(UINT64_C(1) << (1 + draw(47)));
        uint64_t kept = gap_decode(gap_encode(ns));
        assert_true((kept > ns ? kept - ns : ns - kept) <= ns / 8);
    }
    assert_int_equal(gap_encode(UINT64_MAX), GAP_CODES - 1);
}

/* A thread makes and frees blocks at random. */
static void program_make(void)
{
    enum { LIVE = 100 };
    static uint64_t live[LIVE]; /* 1 + bytes */
    memset(live, 0, sizeof live);
    written[0] = demo[0];
    for (size_t i = 1; i < OPS; i++) {
        struct trace_op op = {.slot = (uint32_t)draw(LIVE), .site = (uint32_t)draw(4)};
        op.gap_ns = draw(3) ? 0 : draw(UINT64_C(1) << draw(40));
        if (live[op.slot] > 0) {
            op.kind = TRACE_FREE;
            op.present = draw(live[op.slot] + 1);
            live[op.slot] = 0;
        } else {
            op.size = draw(100000);
            live[op.slot] = 1 + op.size;
        }
        written[i] = op;
    }
}

static void test_columns_come_back(void **state)
{
    (void)state;
    program_make();
    for (unsigned columns = 0; columns <= TRACE_COLUMNS; columns++) {
        ops_write(demo, DEMO_OPS, columns);
        ops_check(demo, DEMO_OPS, columns);
        ops_write(written, OPS, columns);
        ops_check(written, OPS, columns);
    }
}

static void test_the_table_comes_back(void **state)
{
    (void)state;
    ops_write(demo, DEMO_OPS, TRACE_SITES);
    struct trace_reader *reader = trace_reader_open(path, error);
    assert_non_null(reader);
    const struct sites *sites = trace_reader_sites(reader);
    assert_int_equal(sites->count, 3);
    assert_int_equal(sites->list[1].parent, 1);
    assert_int_equal(sites->list[1].module, 2);
    assert_int_equal(sites->list[2].offset, 0x7fff12345678);
    assert_int_equal(sites->module_count, 2);
    assert_int_equal(sites->modules[0].address, 0x555500000000);
    assert_int_equal(sites->modules[0].id_bytes, 4);
    assert_int_equal(sites->modules[0].id[3], 0xef);
    assert_string_equal(sites_path(sites, &sites->modules[1]), "/lib/libdemo.so");
    trace_reader_close(reader);
}

static void assert_not_written(struct trace_op op, const char *what)
{
    struct sites sites = table_make();
    struct trace_writer *writer = trace_writer_open_columns(path, "", TRACE_COLUMNS, error);
    trace_writer_sites(writer, &sites);
    bool ok = true;
    for (size_t i = 0; i < 2; i++)
        ok = ok && trace_writer_add(writer, &demo[i]);
    ok = ok && trace_writer_add(writer, &op);
    if (!ok)
        strcpy(error, trace_writer_error(writer));
    if (ok ? trace_writer_finish(writer, "", error) : (trace_writer_abandon(writer), false))
        fail_msg("written, where \"%s\" was expected", what);
    assert_non_null(strstr(error, what));
    sites_close(&sites);
}

static void test_nonsense_is_not_written(void **state)
{
    (void)state;
    assert_not_written((struct trace_op){.kind = TRACE_FREE, .site = 4}, "site 4 is not in the");
    assert_not_written((struct trace_op){.kind = TRACE_FREE, .present = 5002},
                       "operation 2: more bytes present than the block has");
}

/* A file that can be changed on purpose and sealed again. It has one block. */
struct image {
    unsigned char bytes[ROOM];
    size_t n, block, sites, trailer;
};

static void image_load(struct image *image)
{
    ops_write(demo, DEMO_OPS, TRACE_COLUMNS);
    int fd = open(path, O_RDONLY);
    image->n = (size_t)read(fd, image->bytes, sizeof image->bytes);
    close(fd);
    image->block = FORMAT_HEADER_MAX + FORMAT_CHECKSUM_BYTES;
    image->trailer = image->n - u64_take(image->bytes + image->n - FORMAT_TAIL_BYTES);
    image->sites = image->trailer - u64_take(image->bytes + image->trailer + 24);
}

static void image_store(struct image *image)
{
    const size_t parts[] = {0, image->block, image->sites, image->trailer, image->n};
    for (int i = 0; i < 4; i++) {
        size_t bytes = parts[i + 1] - parts[i] - FORMAT_CHECKSUM_BYTES;
        u64_put(image->bytes + parts[i] + bytes, XXH64(image->bytes + parts[i], bytes, 0));
    }
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, image->bytes, image->n), image->n);
    close(fd);
}

/* false: `error` tells what is wrong with the file. */
static bool file_is_read(void)
{
    size_t n;
    struct trace_reader *reader = trace_reader_open(path, error);
    if (reader == NULL)
        return false;
    bool ok;
    do
        ok = trace_reader_next(reader, block, &n);
    while (ok && n > 0);
    if (!ok)
        strcpy(error, trace_reader_error(reader));
    trace_reader_close(reader);
    return ok;
}

static void assert_refused(const char *what)
{
    if (file_is_read())
        fail_msg("taken for a trace, where \"%s\" was expected", what);
    if (strstr(error, what) == NULL || strchr(error, '\n') != NULL)
        fail_msg("\"%s\" where \"%s\" was expected", error, what);
}

static void byte_refused(size_t (*place)(const struct image *), size_t i, unsigned value,
                         const char *what)
{
    struct image image;
    image_load(&image);
    image.bytes[place(&image) + i] = (unsigned char)value;
    image_store(&image);
    assert_refused(what);
}

static size_t column_at(const struct image *image, enum column_name column)
{
    struct block_header header;
    const struct layout *layout = layout_find(2);
    size_t at = image->block + layout->block_bytes;
    assert_null(block_header_take(&header, layout, image->bytes + image->block));
    assert_int_equal(header.stored, block_header_raw(&header));
    for (unsigned c = 0; c < column; c++)
        at += header.column[c];
    return at;
}

static size_t gaps_at(const struct image *image)
{
    return column_at(image, COLUMN_GAPS);
}

static size_t sites_at(const struct image *image)
{
    return column_at(image, COLUMN_SITES);
}

static size_t present_at(const struct image *image)
{
    return column_at(image, COLUMN_PRESENT);
}

static size_t header_at(const struct image *image)
{
    (void)image;
    return 0;
}

static size_t table_at(const struct image *image)
{
    return image->sites;
}

static size_t trailer_at(const struct image *image)
{
    return image->trailer;
}

static void test_hostile_columns(void **state)
{
    (void)state;
    byte_refused(gaps_at, 0, 0, "operation 0: impossible gap");
    byte_refused(gaps_at, 0, GAP_CODES + GAP_RUN_MAX - 1, "block 0: its columns are too long");
    byte_refused(gaps_at, 0, GAP_CODES, "operation 5: impossible gap");
    byte_refused(sites_at, 0, 4, "operation 1: a site that is not in the table");
    byte_refused(sites_at, 3, 0x80, "operation 4: a site that is not in the table");
    byte_refused(present_at, 1, 0x7f, "operation 3: more bytes present than the block has");
    byte_refused(present_at, 2, 0x80, "operation 4: more bytes present than the block has");
}

static void test_hostile_parts(void **state)
{
    (void)state;
    byte_refused(header_at, 16, 0, "header: columns that this program does not know");
    byte_refused(header_at, 16, 15, "header: columns that this program does not know");
    byte_refused(header_at, 16, TRACE_GAPS, "trailer: its parts do not fit");
    byte_refused(trailer_at, 24, 1, "table of sites: impossible length");
    byte_refused(trailer_at, 27, 0xff, "trailer: its parts do not fit its length");
    byte_refused(table_at, 0, 0, "table of sites: its parts do not fit");
    byte_refused(table_at, 4, 200, "table of sites: its parts do not fit");
    byte_refused(table_at, 8, 4, "table of sites: impossible site");
    byte_refused(table_at, 8, 2, "table of sites: its table is too long");
    byte_refused(table_at, 16, 1, "table of sites: its parts do not fit");
}

/* Every byte is under a checksum. */
static void test_every_change_is_seen(void **state)
{
    (void)state;
    struct image image;
    image_load(&image);
    for (size_t i = 0; i < image.n; i++) {
        image.bytes[i] ^= 1;
        int fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, image.bytes, image.n), image.n);
        close(fd);
        assert_false(file_is_read());
        image.bytes[i] ^= 1;
    }
}

/* Sealed nonsense: it may even be a trace, but never a crash. */
static void test_sealed_random_changes(void **state)
{
    (void)state;
    struct image image;
    image_load(&image);
    size_t first = image.block + layout_find(2)->block_bytes;
    for (int i = 0; i < 5000; i++) {
        unsigned char before[4];
        size_t at = first + draw(image.trailer - 8 - first);
        memcpy(before, image.bytes + at, sizeof before);
        u32_put(image.bytes + at, (uint32_t)draw(UINT64_C(1) << 32));
        image_store(&image);
        file_is_read();
        memcpy(image.bytes + at, before, sizeof before);
    }
}

static void test_a_great_table(void **state)
{
    (void)state;
    struct sites sites = {0}, back = {0};
    size_t bytes, mapped;
    sites_add_module(&sites, 1, "/a", NULL, 0);
    for (uint32_t i = 0; i < SITES_MAX; i++)
        assert_int_equal(sites_add(&sites, (struct site){i / 2, 1, draw(1 << 20)}) > 0, 1);
    while (sites.count < SITES_MAX)
        sites_append(&sites, (struct site){0, 0, UINT64_MAX});
    assert_int_equal(sites_append(&sites, (struct site){0, 0, 1}), 0);
    unsigned char *part = sites_file_build(&sites, &bytes, &mapped);
    assert_non_null(part);
    assert_null(sites_file_take(&back, part, bytes));
    assert_int_equal(back.count, sites.count);
    assert_memory_equal(back.list, sites.list, sites.count * sizeof *sites.list);
    pages_unmap(part, mapped);
    sites_close(&sites);
    sites_close(&back);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gaps_are_near),        TEST(test_columns_come_back),
        TEST(test_the_table_comes_back), TEST(test_nonsense_is_not_written),
        TEST(test_hostile_columns),      TEST(test_hostile_parts),
        TEST(test_every_change_is_seen), TEST(test_sealed_random_changes),
        TEST(test_a_great_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
