/* What all exporters share: reading the trace, and saying what is lost. Knows no format itself. */
#include "export.h"

#include "plural.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const struct trace_op *export_next(struct export *export)
{
    if (export->at == export->n) {
        export->at = 0;
        if (!trace_reader_next(export->reader, export->ops, &export->n)) {
            snprintf(export->error, sizeof export->error, "%s", trace_reader_error(export->reader));
            export->n = 0;
        }
        if (export->n == 0)
            return NULL;
    }
    return &export->ops[export->at++];
}

bool export_open(struct export *export)
{
    export->reader = trace_reader_open(export->path, export->error);
    if (export->reader == NULL)
        return false;
    export->error[0] = '\0';
    export->at = export->n = 0;
    export->totals = *trace_reader_totals(export->reader);
    return true;
}

bool export_rewind(struct export *export)
{
    struct trace_totals before = export->totals;
    trace_reader_close(export->reader);
    if (!export_open(export))
        return false;
    if (memcmp(&before, &export->totals, sizeof before) == 0)
        return true;
    snprintf(export->error, sizeof export->error, "%.400s: changed while it was read",
             export->path);
    return false;
}

bool export_fail_errno(struct export *export)
{
    snprintf(export->error, sizeof export->error, "%.400s: %s", export->path, strerror(errno));
    return false;
}

void export_lose(struct export *export, uint64_t count, const char *noun, const char *what)
{
    size_t at = strlen(export->losses);
    if (count > 0)
        snprintf(export->losses + at, sizeof export->losses - at, "; %s %s%s %s",
                 grouped(count).text, noun, plural(count), what);
}

void export_lose_time(struct export *export)
{
    size_t at = strlen(export->losses);
    uint64_t ms = export->totals.duration_ns / 1000000;
    if (ms > 0)
        snprintf(export->losses + at, sizeof export->losses - at, "; %s ms of time lost",
                 grouped(ms).text);
}

uint64_t export_aligned_calls(const struct export *export)
{
    const uint64_t *kinds = export->totals.by_kind;
    return kinds[TRACE_ALIGNED_ALLOC] + kinds[TRACE_MEMALIGN] + kinds[TRACE_POSIX_MEMALIGN] +
           kinds[TRACE_VALLOC] + kinds[TRACE_PVALLOC];
}
