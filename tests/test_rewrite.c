/*
 * The traces of the corpus, read and written again: the same operations, and byte for byte the
 * same file where zstd is the version that compressed them.
 */
#include "cmocka_all.h"
#include "trace_fixture.h"
#include "workloads/pack.h"
#include "workloads/trace.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* The version (1.5.4) that wrote the files; another one may find other matches. */
enum { CORPUS_ZSTD = 10504 };

static char error[TRACE_ERROR_MAX];

static struct trace_reader *open_reader(const char *name)
{
    struct trace_reader *reader = trace_reader_open(name, error);
    if (reader == NULL)
        fail_msg("%s", error);
    return reader;
}

static size_t read_block(struct trace_reader *reader, struct trace_op *ops)
{
    size_t n;
    if (!trace_reader_next(reader, ops, &n))
        fail_msg("%s", trace_reader_error(reader));
    return n;
}

/* What `name` holds as a new trace at `path`. */
static void copy_ops(const char *name)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    struct trace_reader *reader = open_reader(name);
    struct trace_writer *writer = trace_writer_open(path, trace_reader_origin(reader), error);
    assert_non_null(writer);
    trace_writer_compress(writer, PACK_LEVEL); /* as the corpus is */
    for (size_t n; (n = read_block(reader, ops)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            if (!trace_writer_add(writer, &ops[i]))
                fail_msg("%s", trace_writer_error(writer));
        }
    }
    assert_true(trace_writer_finish(writer, trace_reader_losses(reader), error));
    trace_reader_close(reader);
}

static void assert_same_ops(const char *name)
{
    static struct trace_op want[TRACE_BLOCK_OPS], got[TRACE_BLOCK_OPS];
    struct trace_reader *reader = open_reader(name);
    struct trace_reader *copy = open_reader(path);
    size_t n;
    assert_memory_equal(trace_reader_totals(copy), trace_reader_totals(reader),
                        sizeof(struct trace_totals));
    do {
        n = read_block(reader, want);
        assert_int_equal(read_block(copy, got), n);
        for (size_t i = 0; i < n; i++) {
            if (want[i].slot != got[i].slot || want[i].thread != got[i].thread ||
                want[i].size != got[i].size || want[i].kind != got[i].kind)
                fail_msg("%s: operation %zu of a block differs", name, i);
        }
    } while (n > 0);
    trace_reader_close(reader);
    trace_reader_close(copy);
}

static size_t file_bytes(const char *name, unsigned char **bytes)
{
    enum { MOST = 1 << 24 };
    FILE *in = fopen(name, "rb");
    assert_non_null(in);
    *bytes = malloc(MOST);
    size_t n = fread(*bytes, 1, MOST, in);
    fclose(in);
    return n;
}

static void assert_same_bytes(const char *name)
{
    unsigned char *want, *got;
    size_t n = file_bytes(name, &want);
    assert_int_equal(file_bytes(path, &got), n);
    if (memcmp(want, got, n) != 0)
        fail_msg("%s: written again, its bytes differ", name);
    free(want);
    free(got);
}

/* All names of the corpus; what is held out is not of it. */
static glob_t corpus(void)
{
    char pattern[256];
    glob_t names;
    const char *slash = strrchr(__FILE__, '/');
    snprintf(pattern, sizeof pattern, "%.*s/../workloads/traces/*.trace", (int)(slash - __FILE__),
             __FILE__);
    assert_int_equal(glob(pattern, 0, NULL, &names), 0);
    assert_true(names.gl_pathc >= 10);
    return names;
}

static void test_corpus_is_written_again(void **state)
{
    (void)state;
    bool same_zstd = ZSTD_versionNumber() == CORPUS_ZSTD;
    glob_t names = corpus();
    if (!same_zstd)
        print_message("bytes are not compared: this zstd is not the one that wrote the corpus\n");
    for (size_t i = 0; i < names.gl_pathc; i++) {
        copy_ops(names.gl_pathv[i]);
        assert_same_ops(names.gl_pathv[i]);
        if (same_zstd)
            assert_same_bytes(names.gl_pathv[i]);
    }
    globfree(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_corpus_is_written_again, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
