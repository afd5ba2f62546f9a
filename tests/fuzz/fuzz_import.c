/*
 * The fuzz target of an importer, the one that the macro FUZZ_FORMAT names: the input is a file,
 * packed or not. Whatever is imported must be a trace that our reader accepts, and every refusal
 * says why.
 */
#include "workloads/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void trace_check(const char *path)
{
    static struct trace_op ops[TRACE_BLOCK_OPS];
    char error[TRACE_ERROR_MAX];
    size_t n = 1;
    struct trace_reader *reader = trace_reader_open(path, error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    while (n > 0) {
        if (!trace_reader_next(reader, ops, &n)) {
            fprintf(stderr, "%s\n", trace_reader_error(reader));
            abort();
        }
    }
    trace_reader_close(reader);
}

static void input_import(struct input *in, const char *path)
{
    static struct import import;
    char error[TRACE_ERROR_MAX];
    struct builder *builder = builder_open(path, "source=imported\n", 0, error);
    if (builder == NULL)
        abort();
    if (!import_read(&import, &FUZZ_FORMAT, in, builder)) {
        if (import.error[0] == '\0' && builder_error(builder)[0] == '\0')
            abort();
        builder_abandon(builder);
        return;
    }
    if (import.error[0] != '\0' || !builder_finish(builder, import.losses, error))
        abort();
    trace_check(path);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char path[64], out[64];
    static int fd = -1;
    char error[TRACE_ERROR_MAX];
    if (fd < 0) {
        fd = memfd_create("in", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        snprintf(out, sizeof out, "/dev/shm/fuzz-import-%d", (int)getpid());
    }
    if (pwrite(fd, data, bytes, 0) != (ssize_t)bytes || ftruncate(fd, (off_t)bytes) != 0)
        abort();
    struct input *in = input_open(path, error);
    if (in == NULL)
        return 0;
    size_t head_bytes;
    FUZZ_FORMAT.sniff(input_head(in, &head_bytes), head_bytes);
    input_import(in, out);
    input_close(in);
    return 0;
}
