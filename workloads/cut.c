/*
 * Copies the first operations of a trace. A beginning needs nothing put right: each block in it
 * is made before it is freed, and what is freed later is live at its end.
 */
#include "cut.h"

#include "trace.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    uint64_t ops;
    const char *in;
    const char *out;
};

static bool count_parse(const char *text, uint64_t *count)
{
    char *end;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *count > 0 && text[0] >= '0' && text[0] <= '9';
}

static bool options_parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"ops", required_argument, NULL, 'n'}, {"output", required_argument, NULL, 'o'}, {0}};
    int option;
    *options = (struct options){0};
    while ((option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        if (option == 'n' && count_parse(optarg, &options->ops))
            continue;
        if (option != 'o')
            return false;
        options->out = optarg;
    }
    if (optind + 1 == argc)
        options->in = argv[optind];
    return options->ops > 0 && options->in != NULL && options->out != NULL;
}

/* Copies until there are `left` operations; 0, or the status and a line on stderr. */
static int ops_copy(struct trace_reader *reader, struct trace_op *ops, struct trace_writer *writer,
                    uint64_t left)
{
    size_t n = 0;
    do {
        if (!trace_reader_next(reader, ops, &n)) {
            fprintf(stderr, "%s\n", trace_reader_error(reader));
            return 2;
        }
        n = n < left ? n : left;
        for (size_t i = 0; i < n; i++) {
            if (!trace_writer_add(writer, &ops[i])) {
                fprintf(stderr, "%s\n", trace_writer_error(writer));
                return 1;
            }
        }
        left -= n;
    } while (n > 0 && left > 0);
    return 0;
}

/* The origin of IN, and that it is a cut; to be freed. NULL: no memory. */
static char *origin_text(const struct options *options, const struct trace_reader *reader)
{
    const char *origin = trace_reader_origin(reader);
    size_t length = strlen(origin);
    const char *gap = length > 0 && origin[length - 1] != '\n' ? "\n" : "";
    uint64_t whole = trace_reader_totals(reader)->ops;
    uint64_t kept = options->ops < whole ? options->ops : whole;
    char *text = NULL;
    int n = asprintf(&text, "%s%scut=the first %" PRIu64 " of %" PRIu64 " operations\n", origin,
                     gap, kept, whole);
    return n < 0 ? NULL : text;
}

static int cut_write(const struct options *options, struct trace_reader *reader,
                     struct trace_op *ops, const char *origin)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer = trace_writer_open(options->out, origin, error);
    if (writer == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = ops_copy(reader, ops, writer, options->ops);
    if (status != 0) {
        trace_writer_abandon(writer);
        return status;
    }
    if (trace_writer_finish(writer, trace_reader_losses(reader), error))
        return 0;
    fprintf(stderr, "%s\n", error);
    return 1;
}

int cut_main(int argc, char **argv)
{
    char error[TRACE_ERROR_MAX];
    struct options options;
    if (!options_parse(&options, argc, argv)) {
        fputs("usage: trace cut --ops N IN -o OUT\n", stderr);
        return 2;
    }
    struct trace_reader *reader = trace_reader_open(options.in, error);
    if (reader == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = 1;
    struct trace_op *ops = calloc(TRACE_BLOCK_OPS, sizeof(*ops));
    char *origin = origin_text(&options, reader);
    if (ops != NULL && origin != NULL)
        status = cut_write(&options, reader, ops, origin);
    else
        fprintf(stderr, "%s: %s\n", options.in, strerror(errno));
    free(origin);
    free(ops);
    trace_reader_close(reader);
    return status;
}
