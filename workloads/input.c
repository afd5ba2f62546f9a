/*
 * Opening and unpacking. One buffer holds bytes as they are in the file; a function for each
 * packing turns them into what is read. The packings themselves are those of zlib, libzstd and
 * libzip.
 */
#include "input.h"

#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>
#include <zstd.h>

enum { PACKED_BYTES = 1 << 16, HEAD_BYTES = 1 << 16 };
enum { WRITER_WAIT_MS = 5000 }; /* arbitrary: what writes to a named pipe starts when we do */

struct input {
    int fd; /* STDIN_FILENO is never closed */
    bool packed_ended;
    size_t packed_at, packed_bytes; /* what of `packed` is not used yet */
    /* The packing's own bytes, at most n; -1 and `fault` on failure. */
    ssize_t (*pull)(struct input *input, char *bytes, size_t n);
    bool in_frame; /* of a .gz or .zst: its end has not been seen */
    z_stream gz;
    bool gz_open;
    ZSTD_DStream *zst;
    zip_t *zip;
    zip_file_t *member;
    int copy; /* of input_seekable; -1: none */
    char fault[128];
    size_t head_at, head_bytes; /* what of `head` has not been read yet */
    char packed[PACKED_BYTES];
    char head[HEAD_BYTES + 1]; /* a zero ends it */
};

static ssize_t input_fail(struct input *input, const char *what)
{
    snprintf(input->fault, sizeof input->fault, "%s", what);
    return -1;
}

/* read(2) that signals do not end. */
static ssize_t fd_read(struct input *input, void *bytes, size_t n)
{
    ssize_t got;
    do
        got = read(input->fd, bytes, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? input_fail(input, strerror(errno)) : got;
}

/* Makes sure that `packed` is not empty unless the file has ended. */
static bool packed_fill(struct input *input)
{
    if (input->packed_at < input->packed_bytes || input->packed_ended)
        return true;
    ssize_t got = fd_read(input, input->packed, PACKED_BYTES);
    input->packed_at = 0;
    input->packed_bytes = got < 0 ? 0 : (size_t)got;
    input->packed_ended = got <= 0;
    return got >= 0;
}

static ssize_t pull_plain(struct input *input, char *bytes, size_t n)
{
    size_t ready = input->packed_bytes - input->packed_at;
    if (ready == 0)
        return input->packed_ended ? 0 : fd_read(input, bytes, n);
    if (n > ready)
        n = ready;
    memcpy(bytes, input->packed + input->packed_at, n);
    input->packed_at += n;
    return (ssize_t)n;
}

/* A .gz may have several members, one behind the other; zeros behind the last are padding. */
static ssize_t pull_gz(struct input *input, char *bytes, size_t n)
{
    z_stream *gz = &input->gz;
    gz->next_out = (Bytef *)bytes;
    gz->avail_out = (uInt)n;
    while (gz->avail_out == n) {
        if (!packed_fill(input))
            return -1;
        if (input->packed_at == input->packed_bytes)
            return input->in_frame ? input_fail(input, "cut .gz") : 0;
        if (!input->in_frame && input->packed[input->packed_at] == '\0') {
            input->packed_at++;
            continue;
        }
        input->in_frame = true;
        gz->next_in = (Bytef *)input->packed + input->packed_at;
        gz->avail_in = (uInt)(input->packed_bytes - input->packed_at);
        int status = inflate(gz, Z_NO_FLUSH);
        input->packed_at = input->packed_bytes - gz->avail_in;
        if (status == Z_STREAM_END) {
            input->in_frame = false;
            inflateReset(gz);
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return input_fail(input, "damaged .gz");
        }
    }
    return (ssize_t)(n - gz->avail_out);
}

static ssize_t pull_zst(struct input *input, char *bytes, size_t n)
{
    ZSTD_outBuffer out = {bytes, n, 0};
    while (out.pos == 0) {
        if (!packed_fill(input))
            return -1;
        if (input->packed_at == input->packed_bytes && !input->in_frame)
            return 0;
        ZSTD_inBuffer in = {input->packed, input->packed_bytes, input->packed_at};
        size_t left = ZSTD_decompressStream(input->zst, &out, &in);
        if (ZSTD_isError(left))
            return input_fail(input, "damaged .zst");
        if (out.pos == 0 && in.pos == input->packed_at && input->packed_ended)
            return input_fail(input, "cut .zst");
        input->packed_at = in.pos;
        input->in_frame = left != 0;
    }
    return (ssize_t)out.pos;
}

static ssize_t pull_zip(struct input *input, char *bytes, size_t n)
{
    zip_int64_t got = zip_fread(input->member, bytes, n);
    return got < 0 ? input_fail(input, "damaged .zip") : (ssize_t)got;
}

static bool bytes_write(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* What `pull` gives, at most about so many bytes, in a file without a name; -1 and `fault`. */
static int copy_make(struct input *input, ssize_t (*pull)(struct input *, char *, size_t),
                     uint64_t most)
{
    char bytes[1 << 14];
    ssize_t got = 0;
    FILE *file = tmpfile();
    int copy = file ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 3) : -1;
    if (file != NULL)
        fclose(file);
    if (copy < 0)
        return (int)input_fail(input, strerror(errno));
    for (uint64_t n = 0; n < most && (got = pull(input, bytes, sizeof bytes)) > 0;) {
        n += (uint64_t)got;
        if (!bytes_write(copy, bytes, (size_t)got)) {
            got = input_fail(input, strerror(errno));
            break;
        }
    }
    if (got >= 0 && lseek(copy, 0, SEEK_SET) == 0)
        return copy;
    close(copy);
    return -1;
}

static void fd_replace(struct input *input, int fd)
{
    if (input->fd > STDERR_FILENO)
        close(input->fd);
    input->fd = fd;
}

static bool open_gz(struct input *input)
{
    input->pull = pull_gz;
    input->gz_open = inflateInit2(&input->gz, 16 + MAX_WBITS) == Z_OK;
    return input->gz_open || input_fail(input, strerror(ENOMEM)) == 0;
}

static bool open_zst(struct input *input)
{
    input->pull = pull_zst;
    input->zst = ZSTD_createDStream();
    return input->zst != NULL || input_fail(input, strerror(ENOMEM)) == 0;
}

/* A .zip is read from its end: what cannot seek is copied first. */
static bool open_zip(struct input *input)
{
    int error = 0;
    if (lseek(input->fd, 0, SEEK_SET) != 0) {
        int copy = copy_make(input, pull_plain, UINT64_MAX);
        if (copy < 0)
            return false;
        fd_replace(input, copy);
    }
    input->pull = pull_zip;
    int fd = fcntl(input->fd, F_DUPFD_CLOEXEC, 3);
    input->zip = fd < 0 ? NULL : zip_fdopen(fd, 0, &error);
    if (input->zip == NULL) {
        if (fd >= 0)
            close(fd);
        return input_fail(input, error == ZIP_ER_MEMORY ? strerror(ENOMEM) : "damaged .zip") == 0;
    }
    if (zip_get_num_entries(input->zip, 0) != 1)
        return input_fail(input, "want a .zip with exactly one member") == 0;
    input->member = zip_fopen_index(input->zip, 0, 0);
    return input->member != NULL || input_fail(input, zip_strerror(input->zip)) == 0;
}

/* By the first bytes. */
static bool open_packing(struct input *input)
{
    input->pull = pull_plain;
    if (!packed_fill(input))
        return false;
    if (input->packed_bytes >= 2 && memcmp(input->packed, "\x1f\x8b", 2) == 0)
        return open_gz(input);
    if (input->packed_bytes >= 4 && memcmp(input->packed, "\x28\xb5\x2f\xfd", 4) == 0)
        return open_zst(input);
    if (input->packed_bytes >= 4 && memcmp(input->packed, "PK\3\4", 4) == 0)
        return open_zip(input);
    return true;
}

static bool head_fill(struct input *input)
{
    while (input->head_bytes < HEAD_BYTES) {
        ssize_t got =
            input->pull(input, input->head + input->head_bytes, HEAD_BYTES - input->head_bytes);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        input->head_bytes += (size_t)got;
    }
    return true;
}

/*
 * Opens the path. A named pipe is given some time until somebody writes to it, or open(2) would
 * wait for ever: read(2) tells a pipe without a writer (0) from a slow writer (EAGAIN).
 */
static bool path_open(struct input *input, const char *path)
{
    struct stat st;
    input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (input->fd < 0 || fstat(input->fd, &st) != 0)
        return input_fail(input, strerror(errno)) == 0;
    if (S_ISFIFO(st.st_mode)) {
        struct pollfd pipe = {.fd = input->fd, .events = POLLIN};
        bool silent = poll(&pipe, 1, WRITER_WAIT_MS) == 0;
        ssize_t got = silent ? read(input->fd, input->packed, PACKED_BYTES) : 0;
        if (silent && got == 0)
            return input_fail(input, "a pipe that nobody writes to") == 0;
        input->packed_bytes = got > 0 ? (size_t)got : 0;
    }
    int flags = fcntl(input->fd, F_GETFL);
    return fcntl(input->fd, F_SETFL, flags & ~O_NONBLOCK) == 0 ||
           input_fail(input, strerror(errno)) == 0;
}

struct input *input_open(const char *path, char error[TRACE_ERROR_MAX])
{
    struct input *input = pages_map(sizeof *input);
    if (input == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        return NULL;
    }
    input->copy = -1;
    bool is_open = strcmp(path, "-") == 0 || path_open(input, path);
    if (is_open && open_packing(input) && head_fill(input))
        return input;
    snprintf(error, TRACE_ERROR_MAX, "%.350s: %s", path, input->fault);
    input_close(input);
    return NULL;
}

ssize_t input_read(struct input *input, void *bytes, size_t n)
{
    size_t ready = input->head_bytes - input->head_at;
    if (ready == 0)
        return input->pull(input, bytes, n);
    if (n > ready)
        n = ready;
    memcpy(bytes, input->head + input->head_at, n);
    input->head_at += n;
    return (ssize_t)n;
}

static ssize_t pull_all(struct input *input, char *bytes, size_t n)
{
    return input_read(input, bytes, n);
}

int input_seekable(struct input *input, uint64_t most, uint64_t *bytes)
{
    struct stat st;
    int fd = input->fd;
    bool plain = input->pull == pull_plain && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!plain || input->fd == STDIN_FILENO)
        fd = input->copy = copy_make(input, pull_all, most);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return (int)input_fail(input, strerror(errno));
    *bytes = (uint64_t)st.st_size;
    return fd;
}

const char *input_fault(const struct input *input)
{
    return input->fault;
}

const char *input_head(const struct input *input, size_t *n)
{
    *n = input->head_bytes;
    return input->head;
}

void input_close(struct input *input)
{
    if (input->member != NULL)
        zip_fclose(input->member);
    if (input->zip != NULL)
        zip_discard(input->zip);
    if (input->gz_open)
        inflateEnd(&input->gz);
    ZSTD_freeDStream(input->zst);
    if (input->copy >= 0)
        close(input->copy);
    fd_replace(input, -1);
    pages_unmap(input, sizeof *input);
}
