/*
 * The command `trace import`: the table of formats, options, the origin that the trace is given,
 * and the closing line.
 */
#include "import.h"

#include "in_out.h"
#include "plural.h"
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct import_format *const formats[] = {
    &import_memory_replay, &import_rep,       &import_mtrace, &import_valgrind,
    &import_ltrace,        &import_heaptrack, &import_wl,     NULL,
};

static const struct import_format *format_named(const char *name)
{
    for (int i = 0; formats[i] != NULL; i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}

static const struct import_format *format_guess(const struct input *in)
{
    size_t bytes;
    const char *head = input_head(in, &bytes);
    for (int i = 0; formats[i] != NULL; i++) {
        if (formats[i]->sniff(head, bytes))
            return formats[i];
    }
    return NULL;
}

struct options {
    const char *from;
    struct in_out paths;
};

static void names_print(FILE *out)
{
    for (int i = 0; formats[i] != NULL; i++)
        fprintf(out, "%s%s", i ? ", " : "", formats[i]->name);
    fputc('\n', out);
}

static void formats_print(FILE *out)
{
    fputs("formats:\n", out);
    for (int i = 0; formats[i] != NULL; i++)
        fprintf(out, "  %-13s  %s\n", formats[i]->name, formats[i]->summary);
}

/* Says why nothing can be made of an input that looks like no format. */
static void input_refuse(const char *path, const struct input *in)
{
    size_t bytes;
    const char *head = input_head(in, &bytes);
    if (bytes == 0) {
        fprintf(stderr, "%s: empty\n", path);
    } else if (bytes >= FORMAT_MAGIC_BYTES && memcmp(head, FORMAT_MAGIC, FORMAT_MAGIC_BYTES) == 0) {
        fprintf(stderr, "%s: a trace already\n", path);
    } else {
        fprintf(stderr, "%s: of no known format; --from FMT may be ", path);
        names_print(stderr);
    }
}

/* By --from, else by what the input begins with; NULL after a message. */
static const struct import_format *format_find(const struct options *options,
                                               const struct input *in)
{
    const struct import_format *format =
        options->from ? format_named(options->from) : format_guess(in);
    if (format != NULL)
        return format;
    if (options->from == NULL) {
        input_refuse(options->paths.in, in);
    } else {
        fprintf(stderr, "%s: no such format; known: ", options->from);
        names_print(stderr);
    }
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
    value_put(out, "input", options->paths.in);
    value_put(out, "date", date);
    value_put(out, "tool", "spanbench " SPANBENCH_VERSION);
    return fclose(out) == 0 ? text : NULL;
}

static void count_print(const char *before, uint64_t count, const char *noun)
{
    fprintf(stderr, "%s%s %s%s", before, grouped(count).text, noun, plural(count));
}

/* The closing line; the values of the losses stand for themselves, but for what is kept for the
   trace alone. */
static void summary_print(const struct options *options, struct builder_counts counts,
                          const char *losses)
{
    fprintf(stderr, "%s", options->paths.in);
    count_print(": ", counts.ops, "op");
    count_print(", ", counts.threads, "thread");
    count_print(", ", counts.unknown_frees, "unknown free");
    count_print(", ", counts.unknown_reallocs, "unknown realloc");
    if (counts.repaired_inversions > 0)
        count_print(", ", counts.repaired_inversions, "repaired inversion");
    for (const char *line = losses; *line; line += strcspn(line, "\n") + 1) {
        const char *value = line + strcspn(line, "=") + 1;
        if (strncmp(line, "recorded_", strlen("recorded_")) != 0)
            fprintf(stderr, "; %.*s", (int)strcspn(value, "\n"), value);
    }
    fputc('\n', stderr);
}

/* Reads all into the builder and ends it, one way or the other. */
static int builder_import(const struct options *options, const struct import_format *format,
                          struct import *import, struct input *in, struct builder *builder)
{
    char error[TRACE_ERROR_MAX];
    if (!import_read(import, format, in, builder)) {
        bool reading = import->error[0] != '\0';
        if (reading)
            fprintf(stderr, "%s: %s\n", options->paths.in, import->error);
        else
            fprintf(stderr, "%s\n", builder_error(builder));
        builder_abandon(builder);
        return reading ? 2 : 1;
    }
    struct builder_counts counts = builder_counts(builder);
    if (!builder_finish(builder, import->losses, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    summary_print(options, counts, import->losses);
    return 0;
}

static int input_import(const struct options *options, struct import *import, struct input *in)
{
    char error[TRACE_ERROR_MAX];
    const struct import_format *format = format_find(options, in);
    if (format == NULL)
        return 2;
    char *origin = origin_text(options, format);
    if (origin == NULL) {
        fprintf(stderr, "%s: %s\n", options->paths.in, strerror(errno));
        return 1;
    }
    size_t bytes;
    unsigned columns = format->columns != NULL ? format->columns(input_head(in, &bytes)) : 0;
    struct builder *builder = builder_open(options->paths.out, origin, columns, error);
    free(origin);
    if (builder != NULL)
        return builder_import(options, format, import, in, builder);
    fprintf(stderr, "%s\n", error);
    return 2;
}

/* An in_out_take: there is but one option. */
static bool option_take(void *cookie, int option)
{
    (void)option;
    ((struct options *)cookie)->from = optarg;
    return true;
}

int import_main(int argc, char **argv)
{
    static struct import import;
    static const struct option known[] = {
        {"from", required_argument, NULL, 'f'}, IN_OUT_OUTPUT, {0}};
    struct options options = {0};
    char error[TRACE_ERROR_MAX];
    if (!in_out_parse(&options.paths, argc, argv, known, option_take, &options,
                      "import [--from FORMAT] IN -o FILE")) {
        formats_print(stderr);
        return 2;
    }
    struct input *in = input_open(options.paths.in, error);
    if (in == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = input_import(&options, &import, in);
    input_close(in);
    return status;
}
