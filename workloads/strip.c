/*
 * Writes a trace again with less text in it.
 */
#include "strip.h"

#include "trace_copy.h"
#include "trace_text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct strip {
    const char *in, *out;
    struct trace_reader *reader;
    struct trace_writer *writer;
    struct trace_text origin;
    struct trace_text losses;
};

static int strip_fail(const char *fault, int status)
{
    fprintf(stderr, "%s\n", fault);
    return status;
}

static int strip_finish(struct strip *strip)
{
    char error[TRACE_ERROR_MAX];
    struct trace_writer *writer = strip->writer;
    strip->writer = NULL;
    if (!trace_writer_finish(writer, strip->losses.bytes, error))
        return strip_fail(error, 1);
    fputs(strip->origin.bytes, stdout);
    fputs(strip->losses.bytes, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "standard output: %s\n", strerror(errno));
    return 1;
}

static int strip_run(struct strip *strip)
{
    char error[TRACE_ERROR_MAX];
    strip->reader = trace_reader_open(strip->in, error);
    if (strip->reader == NULL)
        return strip_fail(error, 2);
    trace_text_strip(&strip->origin, trace_reader_origin(strip->reader));
    trace_text_strip(&strip->losses, trace_reader_losses(strip->reader));
    strip->writer = trace_copy_open(strip->out, strip->origin.bytes, strip->reader, error);
    if (strip->writer == NULL)
        return strip_fail(error, 2);
    int status = trace_copy(strip->reader, strip->writer);
    return status == 0 ? strip_finish(strip) : status;
}

static bool options_parse(struct strip *strip, int argc, char **argv)
{
    static const struct option known[] = {{"output", required_argument, NULL, 'o'}, {0}};
    int option;
    while ((option = getopt_long(argc, argv, "o:", known, NULL)) != -1) {
        if (option != 'o')
            return false;
        strip->out = optarg;
    }
    if (optind + 1 == argc)
        strip->in = argv[optind];
    return strip->in != NULL && strip->out != NULL;
}

int strip_main(int argc, char **argv)
{
    static struct strip strip;
    strip = (struct strip){0};
    if (!options_parse(&strip, argc, argv))
        return strip_fail("usage: trace strip FILE -o OUT", 2);
    int status = strip_run(&strip);
    if (strip.reader != NULL)
        trace_reader_close(strip.reader);
    if (strip.writer != NULL)
        trace_writer_abandon(strip.writer);
    return status;
}
