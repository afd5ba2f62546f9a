/*
 * What all importers share: options, opening the input (a file, standard input, the one member
 * of a .zip), finding its format, lines, and the closing words. Knows no format itself.
 */
#include "import.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zip.h>

enum { HEAD_BYTES = 4096 };

static const struct import_format *const formats[] = {&import_memory_replay};
enum { FORMATS = sizeof formats / sizeof *formats };

/* The bytes of an input, unpacked if need be. */
struct source {
    const char *path;
    FILE *file;
    zip_t *zip; /* NULL: the file is read as it is */
    zip_file_t *member;
    char head[HEAD_BYTES]; /* read ahead ... */
    size_t head_bytes;
    size_t head_used; /* ... and handed out so far */
};

struct options {
    const char *from;
    const char *in;
    const char *out;
};

static bool source_fail(const struct source *source, const char *what)
{
    fprintf(stderr, "%s: %s\n", source->path, what);
    return false;
}

/* Straight from the file or the member; -1 and errno on failure. */
static ssize_t source_pull(struct source *source, char *bytes, size_t n)
{
    if (source->zip != NULL) {
        zip_int64_t got = zip_fread(source->member, bytes, n);
        if (got < 0)
            errno = EIO;
        return (ssize_t)got;
    }
    size_t got = fread(bytes, 1, n, source->file);
    return got == 0 && ferror(source->file) ? -1 : (ssize_t)got;
}

/* The read function of the stream that importers see. */
static ssize_t source_read(void *cookie, char *bytes, size_t n)
{
    struct source *source = cookie;
    size_t ready = source->head_bytes - source->head_used;
    if (ready == 0)
        return source_pull(source, bytes, n);
    if (n > ready)
        n = ready;
    memcpy(bytes, source->head + source->head_used, n);
    source->head_used += n;
    return (ssize_t)n;
}

static bool source_fill_head(struct source *source)
{
    source->head_bytes = source->head_used = 0;
    while (source->head_bytes < HEAD_BYTES) {
        ssize_t got =
            source_pull(source, source->head + source->head_bytes, HEAD_BYTES - source->head_bytes);
        if (got < 0)
            return source_fail(source, source->zip ? "damaged .zip" : strerror(errno));
        if (got == 0)
            break;
        source->head_bytes += (size_t)got;
    }
    return true;
}

/* A .zip is read from its end: what cannot seek is copied to a file without a name. */
static bool source_make_seekable(struct source *source)
{
    char bytes[1 << 14];
    ssize_t got;
    if (fseek(source->file, 0, SEEK_SET) == 0)
        return true;
    FILE *copy = tmpfile();
    if (copy == NULL)
        return source_fail(source, strerror(errno));
    while ((got = source_read(source, bytes, sizeof bytes)) > 0) {
        if (fwrite(bytes, 1, (size_t)got, copy) != (size_t)got)
            break;
    }
    if (got != 0 || fseek(copy, 0, SEEK_SET) != 0) {
        source_fail(source, strerror(errno));
        fclose(copy);
        return false;
    }
    if (source->file != stdin)
        fclose(source->file);
    source->file = copy;
    return true;
}

/* The zip keeps the file from here on, and closes it. */
static bool source_open_zip(struct source *source)
{
    zip_error_t error;
    if (!source_make_seekable(source))
        return false;
    zip_error_init(&error);
    zip_source_t *bytes = zip_source_filep_create(source->file, 0, -1, &error);
    if (bytes == NULL)
        return source_fail(source, zip_error_strerror(&error));
    source->file = NULL;
    source->zip = zip_open_from_source(bytes, ZIP_RDONLY, &error);
    if (source->zip == NULL) {
        zip_source_free(bytes);
        return source_fail(source, zip_error_strerror(&error));
    }
    if (zip_get_num_entries(source->zip, 0) != 1)
        return source_fail(source, "want a .zip with exactly one member");
    source->member = zip_fopen_index(source->zip, 0, 0);
    if (source->member == NULL)
        return source_fail(source, zip_strerror(source->zip));
    return source_fill_head(source);
}

static bool source_open(struct source *source, const char *path)
{
    *source = (struct source){.path = path, .file = stdin};
    if (strcmp(path, "-") != 0)
        source->file = fopen(path, "re");
    if (source->file == NULL)
        return source_fail(source, strerror(errno));
    if (!source_fill_head(source))
        return false;
    if (source->head_bytes >= 4 && memcmp(source->head, "PK\3\4", 4) == 0)
        return source_open_zip(source);
    return true;
}

static void source_close(struct source *source)
{
    if (source->member != NULL)
        zip_fclose(source->member);
    if (source->zip != NULL)
        zip_discard(source->zip);
    if (source->file != NULL && source->file != stdin)
        fclose(source->file);
}

bool import_fail(const struct import_lines *lines, struct import_notes *notes, const char *what)
{
    snprintf(notes->error, sizeof notes->error, "line %" PRIu64 ": %s", lines->number, what);
    return false;
}

bool import_line(struct import_lines *lines, struct import_notes *notes)
{
    lines->number++;
    if (fgets(lines->text, sizeof lines->text, lines->in) == NULL)
        return ferror(lines->in) ? import_fail(lines, notes, strerror(errno)) : false;
    size_t length = strlen(lines->text);
    if (length > 0 && lines->text[length - 1] == '\n')
        lines->text[--length] = '\0';
    else if (!feof(lines->in))
        return import_fail(lines, notes, "line is too long, or holds a zero byte");
    if (length > 0 && lines->text[length - 1] == '\r')
        lines->text[--length] = '\0';
    return true;
}

static void formats_list(FILE *out)
{
    for (int i = 0; i < FORMATS; i++)
        fprintf(out, "%s%s (%s)", i ? ", " : "", formats[i]->name, formats[i]->summary);
    fputc('\n', out);
}

/* By --from, else by what the input begins with; NULL after a message. */
static const struct import_format *format_find(const struct options *options,
                                               const struct source *source)
{
    for (int i = 0; i < FORMATS; i++) {
        if (options->from ? strcmp(options->from, formats[i]->name) == 0
                          : formats[i]->sniff(source->head, source->head_bytes))
            return formats[i];
    }
    if (options->from != NULL)
        fprintf(stderr, "%s: no such format; known: ", options->from);
    else
        fprintf(stderr, "%s: of no known format; known: ", options->in);
    formats_list(stderr);
    return NULL;
}

/* A value of a "key=value" line has no newline. */
static void value_put(FILE *out, const char *key, const char *value)
{
    fprintf(out, "%s=", key);
    for (; *value; value++)
        fputc(*value == '\n' ? ' ' : *value, out);
    fputc('\n', out);
}

static char *origin_text(const struct options *options, const struct import_format *format)
{
    char *text;
    size_t bytes;
    char date[32];
    time_t now = time(NULL);
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return NULL;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    value_put(out, "source", "imported");
    value_put(out, "format", format->name);
    value_put(out, "input", options->in);
    value_put(out, "date", date);
    value_put(out, "tool", "spanbench " SPANBENCH_VERSION);
    return fclose(out) == 0 ? text : NULL;
}

/* The closing line; the values of the losses stand for themselves. */
static void summary_print(const struct options *options, struct builder_counts counts,
                          const char *losses)
{
    fprintf(stderr,
            "%s: %" PRIu64 " ops, %" PRIu64 " threads, %" PRIu64 " unknown frees, %" PRIu64
            " unknown reallocs",
            options->in, counts.ops, counts.threads, counts.unknown_frees, counts.unknown_reallocs);
    for (const char *line = losses; *line; line += strcspn(line, "\n") + 1) {
        const char *value = line + strcspn(line, "=") + 1;
        fprintf(stderr, "; %.*s", (int)strcspn(value, "\n"), value);
    }
    fputc('\n', stderr);
}

/* Reads the stream into the builder and ends it, one way or the other. */
static int stream_import(const struct options *options, const struct import_format *format,
                         FILE *in, struct builder *builder)
{
    struct import_notes notes = {0};
    char error[TRACE_ERROR_MAX];
    if (!format->read(in, builder, &notes)) {
        bool reading = notes.error[0] != '\0';
        if (reading)
            fprintf(stderr, "%s: %s\n", options->in, notes.error);
        else
            fprintf(stderr, "%s\n", builder_error(builder));
        builder_abandon(builder);
        return reading ? 2 : 1;
    }
    struct builder_counts counts = builder_counts(builder);
    if (!builder_finish(builder, notes.losses, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    summary_print(options, counts, notes.losses);
    return 0;
}

static int source_import(const struct options *options, struct source *source)
{
    char error[TRACE_ERROR_MAX];
    const struct import_format *format = format_find(options, source);
    if (format == NULL)
        return 2;
    FILE *in = fopencookie(source, "r", (cookie_io_functions_t){.read = source_read});
    char *origin = origin_text(options, format);
    if (in == NULL || origin == NULL) {
        fprintf(stderr, "%s: %s\n", options->in, strerror(errno));
        return 1;
    }
    struct builder *builder = builder_open(options->out, origin, error);
    free(origin);
    int status = 2;
    if (builder != NULL)
        status = stream_import(options, format, in, builder);
    else
        fprintf(stderr, "%s\n", error);
    fclose(in);
    return status;
}

static bool options_parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"from", required_argument, NULL, 'f'}, {"output", required_argument, NULL, 'o'}, {0}};
    int option;
    *options = (struct options){0};
    while ((option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        if (option == 'f')
            options->from = optarg;
        else if (option == 'o')
            options->out = optarg;
        else
            return false;
    }
    if (optind + 1 == argc)
        options->in = argv[optind];
    return options->in != NULL && options->out != NULL;
}

int import_main(int argc, char **argv)
{
    struct options options;
    struct source source;
    if (!options_parse(&options, argc, argv)) {
        fputs("usage: trace import [--from FORMAT] IN -o FILE\nformats: ", stderr);
        formats_list(stderr);
        return 2;
    }
    int status = 2;
    if (source_open(&source, options.in))
        status = source_import(&options, &source);
    source_close(&source);
    return status;
}
