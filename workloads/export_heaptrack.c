/*
 * heaptrack's raw format: a record a line, numbers are hexadecimal. With the modules and stacks of
 * a trace that has call sites, heaptrack_interpret finds names and makes what heaptrack_gui and
 * heaptrack_print read. Addresses are made up from slots.
 */
#include "export.h"
#include "pages.h"
#include "sites.h"
#include "trace_text.h"

#include <inttypes.h>
#include <string.h>

enum {
    ADDRESS_STEP = 16,
    PAGE_BYTES = 4096, /* nothing is told in pages */
};
#define VERSION "10400 3" /* of heaptrack 1.4.0 and of its format */

/* A string goes with its length. */
static void string_put(FILE *out, char kind, const char *text, size_t length)
{
    fprintf(out, "%c %zx %.*s", kind, length, (int)length, text);
}

/* The command, without which heaptrack_interpret does nothing. */
static void head_put(const struct export *export)
{
    const char *origin = trace_reader_origin(export->reader);
    struct text_line line, program = {.value = "", .value_length = 0};
    while (text_line_take(&origin, &line)) {
        if (text_line_is(&line, "program"))
            program = line;
    }
    fprintf(export->out, "v " VERSION "\nX %.*s\nI %x 0\n", (int)program.value_length,
            program.value, PAGE_BYTES);
}

/* Each module as one segment that has all its sites. false: export->error tells. */
static bool modules_put(struct export *export, const struct sites *sites)
{
    uint64_t *ends = pages_map((sites->module_count + 1) * sizeof *ends);
    if (ends == NULL)
        return export_fail_errno(export);
    for (size_t i = 0; i < sites->count; i++) {
        const struct site *site = &sites->list[i];
        if (site->offset >= ends[site->module])
            ends[site->module] = site->offset + 1;
    }
    fputs("m 1 -\n", export->out);
    for (size_t i = 0; i < sites->module_count; i++) {
        const char *path = sites_path(sites, &sites->modules[i]);
        string_put(export->out, 'm', path, strcspn(path, "\n"));
        fprintf(export->out, " %" PRIx64 " 0 %" PRIx64 "\n", sites->modules[i].address,
                ends[i + 1]);
    }
    pages_unmap(ends, (sites->module_count + 1) * sizeof *ends);
    return true;
}

/* A site's number is that of its stack: callers stand before whom they call. */
static void stacks_put(FILE *out, const struct sites *sites)
{
    for (size_t i = 0; i < sites->count; i++) {
        const struct site *site = &sites->list[i];
        uint64_t base = site->module > 0 ? sites->modules[site->module - 1].address : 0;
        fprintf(out, "t %" PRIx64 " %" PRIx32 "\n", base + site->offset, site->parent);
    }
}

static void op_put(FILE *out, const struct trace_op *op)
{
    uint64_t address = ((uint64_t)op->slot + 1) * ADDRESS_STEP;
    if (!trace_op_makes(op))
        fprintf(out, "- %" PRIx64 "\n", address);
    if (!trace_op_frees(op))
        fprintf(out, "+ %" PRIx64 " %" PRIx32 " %" PRIx64 "\n", trace_op_bytes(op), op->site,
                address);
}

static void losses_note(struct export *export)
{
    const struct trace_totals *totals = &export->totals;
    const uint64_t *kinds = totals->by_kind;
    export_lose(export, totals->threads > 1 ? totals->threads : 0, "thread", "became one");
    export_lose(export, kinds[TRACE_CALLOC], "calloc", "became plain");
    export_lose(export, export_aligned_calls(export), "aligned call", "became plain");
    export_lose(export, kinds[TRACE_REALLOC], "realloc", "became a free and an allocation");
    export_lose(export, totals->failed, "failed call", "left out");
    export_lose(export, totals->null_frees, "free", "of NULL left out");
}

static bool heaptrack_write(struct export *export)
{
    const struct trace_op *op;
    const struct sites *sites = trace_reader_sites(export->reader);
    uint64_t ms = 0;
    head_put(export);
    if (!modules_put(export, sites))
        return false;
    stacks_put(export->out, sites);
    while ((op = export_next(export)) != NULL) {
        if (op->slot == TRACE_NO_SLOT || op->flags & TRACE_FAILED)
            continue;
        if (op->time_ns / 1000000 != ms)
            fprintf(export->out, "c %" PRIx64 "\n", ms = op->time_ns / 1000000);
        op_put(export->out, op);
    }
    if (export->error[0] != '\0')
        return false;
    losses_note(export);
    return true;
}

const struct export_format export_heaptrack = {
    .name = "heaptrack",
    .summary = "heaptrack's raw file",
    .columns = TRACE_SITES,
    .write = heaptrack_write,
};
