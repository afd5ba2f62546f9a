/*
 * What all importers share: reading a file, errors and losses. Knows no format itself, and no
 * command line.
 */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Arbitrary: no machine has addresses that long. */
#define ALIGNMENT_MAX (UINT64_C(1) << 62)

bool import_fail_at(struct import *import, const char *where, uint64_t number, const char *what)
{
    snprintf(import->error, sizeof import->error, "%s %" PRIu64 ": %s", where, number, what);
    return false;
}

bool import_fail(struct import *import, const char *what)
{
    const struct lines *lines = &import->lines;
    if (lines->cut)
        what = "line is too long";
    else if (lines->text != NULL && memchr(lines->text, '\0', (size_t)(lines->end - lines->text)))
        what = "line holds a zero byte";
    return import_fail_at(import, "line", lines->number, what);
}

bool import_lines_end(struct import *import)
{
    return import->lines.fault ? import_fail(import, import->lines.fault) : false;
}

const char *import_call_fault(const struct call *call)
{
    uint64_t bytes = call->size;
    if (call->result == 0)
        return NULL;
    if (call->kind >= TRACE_ALIGNED_ALLOC && call->kind <= TRACE_POSIX_MEMALIGN &&
        call->count > ALIGNMENT_MAX)
        return "an alignment that cannot be";
    if (call->kind == TRACE_CALLOC && __builtin_mul_overflow(call->size, call->count, &bytes))
        return "more bytes than can be counted";
    return bytes > INT64_MAX ? "more bytes than there can be" : NULL;
}

bool import_call(struct import *import, const struct call *call)
{
    const char *fault = import_call_fault(call);
    if (fault != NULL || import->lines.cut)
        return import_fail(import, fault);
    if (builder_add(import->builder, call))
        return true;
    if (builder_counts(import->builder).threads >= TRACE_THREADS_MAX)
        return import_fail(import, "more threads than a trace can have");
    return false;
}

void import_keep(struct import *import, const char *key, const char *text)
{
    size_t room = sizeof import->losses - import->losses_bytes;
    int n = snprintf(import->losses + import->losses_bytes, room, "%s=%s\n", key, text);
    if (n > 0 && (size_t)n < room)
        import->losses_bytes += (size_t)n;
    else
        import->losses[import->losses_bytes] = '\0';
}

void import_lose(struct import *import, const char *key, const char *text, ...)
{
    char value[512];
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(value, sizeof value, text, arguments);
    va_end(arguments);
    import_keep(import, key, value);
}

bool import_read(struct import *import, const struct import_format *format, struct input *in,
                 struct builder *builder)
{
    import->in = in;
    import->builder = builder;
    import->error[0] = import->losses[0] = '\0';
    import->losses_bytes = 0;
    if (!lines_open(&import->lines, in))
        return import_fail(import, strerror(errno));
    bool read = format->read(import) && builder_release_races(builder);
    lines_close(&import->lines);
    return read;
}
