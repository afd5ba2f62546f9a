/*
 * Writes a trace again with less text in it.
 */
#include "strip.h"

#include "in_out.h"
#include "plural.h"
#include "sites.h"
#include "trace_copy.h"
#include "trace_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct strip {
    struct in_out paths;
    struct trace_reader *reader;
    struct trace_writer *writer;
    struct sites sites;
    struct trace_text origin;
    struct trace_text losses;
};

static int strip_fail(const char *fault, int status)
{
    fprintf(stderr, "%s\n", fault);
    return status;
}

/* The writer's table of sites has no folders. */
static bool sites_strip_copy(struct strip *strip)
{
    uint32_t base;
    if (!sites_join(&strip->sites, trace_reader_sites(strip->reader), &base))
        return false;
    size_t stripped = sites_strip(&strip->sites);
    trace_writer_sites(strip->writer, &strip->sites);
    if (stripped > 0)
        fprintf(stderr, "%s: folders of %zu module%s of call sites left out\n", strip->paths.out,
                stripped, plural(stripped));
    return true;
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
    return in_out_end();
}

static int strip_run(struct strip *strip)
{
    char error[TRACE_ERROR_MAX];
    strip->reader = trace_reader_open(strip->paths.in, error);
    if (strip->reader == NULL)
        return strip_fail(error, 2);
    trace_text_strip(&strip->origin, trace_reader_origin(strip->reader));
    trace_text_strip(&strip->losses, trace_reader_losses(strip->reader));
    strip->writer =
        trace_copy_open(strip->paths.out, strip->origin.bytes, strip->reader, TRACE_COLUMNS, error);
    if (strip->writer == NULL)
        return strip_fail(error, 2);
    if (!sites_strip_copy(strip))
        return strip_fail(strerror(errno), 1);
    int status = trace_copy(strip->reader, strip->writer);
    return status == 0 ? strip_finish(strip) : status;
}

int strip_main(int argc, char **argv)
{
    static const struct option known[] = {IN_OUT_OUTPUT, {0}};
    static struct strip strip;
    strip = (struct strip){0};
    if (!in_out_parse(&strip.paths, argc, argv, known, NULL, NULL, "strip FILE -o OUT"))
        return 2;
    int status = strip_run(&strip);
    if (strip.reader != NULL)
        trace_reader_close(strip.reader);
    if (strip.writer != NULL)
        trace_writer_abandon(strip.writer);
    sites_close(&strip.sites);
    return status;
}
