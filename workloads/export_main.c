/*
 * The command `trace export`: the table of formats, options, the output file and the closing line.
 */
#include "export.h"

#include "in_out.h"
#include "pages.h"
#include "plural.h"
#include "unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct export_format *const formats[] = {&export_memory_replay, &export_rep,
                                                      &export_wl, &export_heaptrack, &export_csv};
enum { FORMATS = sizeof formats / sizeof *formats };

struct options {
    const char *to;
    struct in_out paths;
};

static void formats_list(FILE *out)
{
    for (int i = 0; i < FORMATS; i++)
        fprintf(out, "%s%s (%s)", i ? ", " : "", formats[i]->name, formats[i]->summary);
    fputc('\n', out);
}

static const struct export_format *format_find(const char *name)
{
    for (int i = 0; i < FORMATS; i++) {
        if (strcmp(name, formats[i]->name) == 0)
            return formats[i];
    }
    fprintf(stderr, "%s: no such format; known: ", name);
    formats_list(stderr);
    return NULL;
}

/* Names the columns that the format has no place for. */
static void columns_lose(struct export *export, const struct export_format *format)
{
    static const char *const what[] = {"gaps between calls", "call sites", "bytes present"};
    unsigned lost = trace_reader_columns(export->reader) & ~format->columns;
    for (int i = 0; i < 3; i++) {
        size_t at = strlen(export->losses);
        if (lost >> i & 1)
            snprintf(export->losses + at, sizeof export->losses - at, "; %s left out", what[i]);
    }
}

/* All that was written, to where it is wanted. `begun` once that has taken any of it. */
static bool file_copy(FILE *from, int to, bool *begun)
{
    char bytes[1 << 14];
    size_t n;
    rewind(from);
    while ((n = fread(bytes, 1, sizeof bytes, from)) > 0) {
        for (size_t at = 0; at < n;) {
            ssize_t done = write(to, bytes + at, n - at);
            if (done < 0 && errno != EINTR)
                return false;
            at += done > 0 ? (size_t)done : 0;
            *begun = *begun || done > 0;
        }
    }
    return !ferror(from);
}

/* What is no plain file is written to at the end, from a file without a name; a plain one appears
   under its name when it is complete. */
struct target {
    const char *path;
    FILE *direct; /* NULL: a plain file */
    char beside[PATH_MAX];
};

static int target_fail(const struct target *target, int status)
{
    const char *name = strcmp(target->path, "-") == 0 ? "standard output" : target->path;
    fprintf(stderr, "%s: %s\n", name, strerror(errno));
    if (target->beside[0] != '\0')
        unlink(target->beside);
    return status;
}

/* The file to write, or NULL after a message. */
static FILE *target_open(struct target *target, const char *path)
{
    struct stat st;
    *target = (struct target){.path = path};
    FILE *out = NULL;
    if (strcmp(path, "-") == 0)
        target->direct = stdout;
    else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !(target->direct = fopen(path, "we")))
        return target_fail(target, 2), NULL;
    if (target->direct != NULL) {
        out = tmpfile();
    } else if (snprintf(target->beside, sizeof target->beside, "%s.%d.tmp", path, (int)getpid()) <
               (int)sizeof target->beside) {
        int fd = unfinished_open(target->beside, O_RDWR);
        out = fd >= 0 ? fdopen(fd, "w+") : NULL;
    } else {
        target->beside[0] = '\0';
        errno = ENAMETOOLONG;
    }
    if (out == NULL)
        target_fail(target, 2);
    return out;
}

/* The exit status where the output is full: one that never took a byte cannot be written at all, as
   the writer of traces finds with their first bytes. Keeps errno. */
static int full_status(FILE *out)
{
    int error = errno;
    struct stat st;
    bool begun = fstat(fileno(out), &st) != 0 || st.st_size > 0;
    errno = error;
    return begun ? 1 : 2;
}

/* Puts the file where it is wanted. Returns the exit status. */
static int target_finish(struct target *target, FILE *out)
{
    bool begun = false;
    if (ferror(out) || fflush(out) != 0)
        return target_fail(target, full_status(out));
    if (target->direct != NULL && !file_copy(out, fileno(target->direct), &begun))
        return target_fail(target, begun ? 1 : 2);
    if (target->direct == NULL && rename(target->beside, target->path) != 0)
        return target_fail(target, 1);
    return 0;
}

static int export_write(struct export *export, const struct export_format *format,
                        const struct options *options)
{
    struct target target;
    export->out = target_open(&target, options->paths.out);
    if (export->out == NULL)
        return 2;
    int status = 1;
    if (format->write(export)) {
        status = target_finish(&target, export->out);
    } else if (export->write_errno != 0) {
        errno = export->write_errno;
        status = target_fail(&target, full_status(export->out));
    } else {
        fprintf(stderr, "%s\n", export->error);
        unlink(target.beside);
        status = 2;
    }
    unfinished_end(target.beside);
    fclose(export->out);
    if (status == 0)
        columns_lose(export, format);
    if (status == 0)
        fprintf(stderr, "%s: %s op%s as %s%s\n", options->paths.in,
                grouped(export->totals.ops).text, plural(export->totals.ops), format->name,
                export->losses);
    return status;
}

/* An in_out_take: there is but one option. */
static bool option_take(void *cookie, int option)
{
    (void)option;
    ((struct options *)cookie)->to = optarg;
    return true;
}

int export_main(int argc, char **argv)
{
    static const struct option known[] = {{"to", required_argument, NULL, 't'}, IN_OUT_OUTPUT, {0}};
    struct options options = {0};
    static const char usage[] = "export --to FORMAT FILE -o OUT";
    bool good = in_out_parse(&options.paths, argc, argv, known, option_take, &options, usage);
    if (good && options.to == NULL)
        fprintf(stderr, "usage: trace %s\n", usage);
    if (!good || options.to == NULL) {
        fputs("formats: ", stderr);
        formats_list(stderr);
        return 2;
    }
    const struct export_format *format = format_find(options.to);
    struct export export = {.path = options.paths.in};
    if (format == NULL)
        return 2;
    export.ops = pages_map(TRACE_BLOCK_OPS * sizeof *export.ops);
    if (export.ops == NULL)
        export_fail_errno(&export);
    if (export.ops == NULL || !export_open(&export)) {
        fprintf(stderr, "%s\n", export.error);
        return 2;
    }
    int status = export_write(&export, format, &options);
    if (export.reader != NULL)
        trace_reader_close(export.reader);
    return status;
}
