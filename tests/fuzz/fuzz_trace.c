/*
 * The fuzz target of the reader of traces: the input becomes the columns of a block and the table
 * of call sites, in a file whose checksums, index and totals let the reader come to them. What
 * stands before them has its tests in tests/test_trace.c and tests/test_columns.c.
 */
#include "workloads/sites_file.h"
#include "workloads/trace_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum {
    /* Operations, serials taken, length of each column and of the table of sites; then bytes: enum
       trace_column, modules, sites. */
    INPUT_HEAD = 4 + 2 * COLUMNS + 2 + 3,
    AT_TABLE = 4 + 2 * COLUMNS,
    AT_COLUMNS = AT_TABLE + 2,
    AT_MODULES,
    AT_SITES,
    INPUT_MAX = 1 << 16,
};

/* A file in the making. */
struct image {
    unsigned char bytes[INPUT_MAX + 1024];
    size_t n;
    const struct layout *layout;
    unsigned columns;
    size_t sites_bytes;
};

static unsigned u16_take(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static void image_add(struct image *image, const void *bytes, size_t n)
{
    memcpy(image->bytes + image->n, bytes, n);
    image->n += n;
}

static void image_add_u64(struct image *image, uint64_t value)
{
    u64_put(image->bytes + image->n, value);
    image->n += 8;
}

static void image_add_pair(struct image *image, uint32_t low, uint32_t high)
{
    image_add_u64(image, low | (uint64_t)high << 32);
}

static void image_seal(struct image *image, size_t from)
{
    image_add_u64(image, XXH64(image->bytes + from, image->n - from, 0));
}

static void image_add_block(struct image *image, const struct block_header *header,
                            const uint8_t *columns)
{
    size_t start = image->n;
    image->n += image->layout->block_bytes;
    block_header_put(image->bytes + start, image->layout, header);
    image_add(image, columns, header->stored);
    image_seal(image, start);
}

static void image_add_sites(struct image *image, const uint8_t *data, const uint8_t *table,
                            size_t bytes)
{
    size_t start = image->n;
    if (!(image->columns & TRACE_SITES))
        return;
    image_add(image, "SITE", 4);
    image_add_pair(image, data[AT_MODULES], data[AT_SITES]);
    image_add_pair(image, (uint32_t)bytes, (uint32_t)bytes);
    image_add(image, table, bytes);
    image_seal(image, start);
    image->sites_bytes = image->n - start;
}

/* One block; of the totals only what is compared before the block is read. */
static void image_add_trailer(struct image *image, const struct block_header *header,
                              uint64_t serials, size_t block)
{
    size_t start = image->n;
    struct trace_totals totals = {.ops = header->ops, .by_kind = {header->ops}};
    image_add_pair(image, FORMAT_TRAILER_TAG, FORMAT_TOTALS);
    image_add_pair(image, 0, 1);
    image_add_u64(image, 1 + serials);
    if (image->columns != 0)
        image_add_u64(image, image->sites_bytes);
    for (int i = 0; i < FORMAT_TOTALS; i++)
        image_add_u64(image, ((const uint64_t *)&totals)[i]);
    image_add_u64(image, block);
    image_add_u64(image, header->ops);
    image_add_u64(image, header->serial);
    image_add_u64(image, image->n - start + FORMAT_TAIL_BYTES);
    image_add(image, FORMAT_END_MAGIC, FORMAT_MAGIC_BYTES);
    image_seal(image, start);
}

static void image_add_header(struct image *image)
{
    image->n = 0;
    image_add(image, FORMAT_MAGIC, FORMAT_MAGIC_BYTES);
    image_add_pair(image, image->layout->version, 0);
    u32_put(image->bytes + image->n, image->columns);
    image->n += image->columns != 0 ? 4 : 0;
    image_seal(image, 0);
}

/* The input as a file. Its columns are cut where the input ends. */
static void image_make(struct image *image, const uint8_t *data, size_t bytes)
{
    struct block_header header = {.ops = 1 + u16_take(data), .serial = 1};
    uint64_t serials = u16_take(data + 2) % (header.ops + 1);
    size_t left = bytes - INPUT_HEAD;
    *image = (struct image){.columns = data[AT_COLUMNS] & TRACE_COLUMNS};
    image->layout = layout_find(image->columns != 0 ? 2 : 1);
    for (uint32_t i = 0; i < image->layout->columns; i++) {
        size_t wanted = u16_take(data + 4 + 2 * i);
        header.column[i] = (uint32_t)(wanted < left ? wanted : left);
        header.stored += header.column[i];
        left -= header.column[i];
    }
    image_add_header(image);
    size_t block = image->n;
    size_t table = u16_take(data + AT_TABLE);
    image_add_block(image, &header, data + INPUT_HEAD);
    image_add_sites(image, data, data + bytes - left, table < left ? table : left);
    image_add_trailer(image, &header, serials, block);
}

/* A slot is made before it is named, freed before it is made again, and below n. */
static void ops_check(const struct trace_op *ops, size_t n)
{
    static unsigned char live[TRACE_BLOCK_OPS];
    memset(live, 0, sizeof live);
    for (size_t i = 0; i < n; i++) {
        if (ops[i].slot == TRACE_NO_SLOT)
            continue;
        if (ops[i].slot >= n || live[ops[i].slot] == trace_op_makes(&ops[i]))
            abort();
        live[ops[i].slot] = !trace_op_frees(&ops[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct image image;
    static struct trace_op ops[TRACE_BLOCK_OPS];
    static char path[64], error[TRACE_ERROR_MAX];
    static int fd = -1;
    size_t n = 0;
    if (bytes < INPUT_HEAD || bytes > INPUT_MAX)
        return 0;
    if (fd < 0) {
        fd = memfd_create("trace", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    image_make(&image, data, bytes);
    if (pwrite(fd, image.bytes, image.n, 0) != (ssize_t)image.n || ftruncate(fd, (off_t)image.n))
        abort();
    struct trace_reader *reader = trace_reader_open(path, error);
    if (reader == NULL)
        return 0;
    if (trace_reader_next(reader, ops, &n)) {
        ops_check(ops, n);
        trace_reader_next(reader, ops, &n);
    }
    trace_reader_close(reader);
    return 0;
}
