/*
 * Counts by call site, see site_census.h.
 */
#include "site_census.h"

#include "pages.h"
#include "site_command.h"
#include "sites_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a site did. */
struct site_counts {
    uint64_t ops;    /* calls, frees among them */
    uint64_t blocks; /* made */
    uint64_t bytes;  /* requested, by resizes too */
    uint64_t live, peak_live, peak_op;
    uint64_t freed, lifetime_ops; /* blocks whose site it was at their end, and their sum */
};

struct owned_block {
    uint64_t bytes, made_op;
    uint32_t site;
};

struct site_census {
    struct trace_reader *reader;
    struct site_counts *counts; /* by number of the site; that of 0 is what nobody is known for */
    size_t sites;
    struct owned_block *blocks; /* by slot */
    size_t capacity;
    uint64_t ops;
};

static void block_leave(struct site_census *census, const struct owned_block *block)
{
    census->counts[block->site].live -= block->bytes;
}

static void block_enter(struct site_census *census, struct owned_block *block,
                        const struct trace_op *op)
{
    struct site_counts *counts = &census->counts[op->site];
    block->bytes = trace_op_bytes(op);
    block->site = op->site;
    counts->bytes += block->bytes;
    counts->live += block->bytes;
    if (counts->live > counts->peak_live) {
        counts->peak_live = counts->live;
        counts->peak_op = census->ops;
    }
}

static void block_end(struct site_census *census, const struct owned_block *block)
{
    struct site_counts *counts = &census->counts[block->site];
    block_leave(census, block);
    counts->freed++;
    counts->lifetime_ops += census->ops - block->made_op;
}

/* false and errno: no memory. */
static bool op_count(struct site_census *census, const struct trace_op *op)
{
    void *p = census->blocks;
    census->ops++;
    if (op->kind >= TRACE_THREAD_START)
        return true;
    census->counts[op->site].ops++;
    if (op->flags & TRACE_FAILED || op->slot == TRACE_NO_SLOT)
        return true;
    if (!pages_reserve(&p, &census->capacity, sizeof *census->blocks, (size_t)op->slot + 1))
        return false;
    census->blocks = p;
    struct owned_block *block = &census->blocks[op->slot];
    if (trace_op_frees(op)) {
        block_end(census, block);
        return true;
    }
    if (trace_op_makes(op)) {
        census->counts[op->site].blocks++;
        block->made_op = census->ops;
    } else
        block_leave(census, block);
    block_enter(census, block, op);
    return true;
}

/* NULL, or what went wrong. */
static const char *census_take(struct site_census *census, struct trace_op *ops)
{
    size_t n;
    do {
        if (!trace_reader_next(census->reader, ops, &n))
            return trace_reader_error(census->reader);
        for (size_t i = 0; i < n; i++) {
            if (!op_count(census, &ops[i]))
                return strerror(errno);
        }
    } while (n > 0);
    return NULL;
}

static void sites_print(const struct site_census *census, const struct sites *sites)
{
    const char *separator = "";
    fputs("  \"sites\": [", stdout);
    for (size_t i = 0; i <= sites->count; i++) {
        const struct site_counts *counts = &census->counts[i];
        if (counts->ops == 0)
            continue; /* a place that sites were called from */
        printf("%s\n    {\"ops\": %" PRIu64 ", \"blocks\": %" PRIu64 ", \"bytes\": %" PRIu64
               ", \"peak_live\": %" PRIu64 ", \"peak_op\": %" PRIu64 ", \"final_live\": %" PRIu64
               ", \"freed\": %" PRIu64 ", \"mean_lifetime_ops\": %.12g, ",
               separator, counts->ops, counts->blocks, counts->bytes, counts->peak_live,
               counts->peak_op, counts->live, counts->freed,
               counts->freed ? (double)counts->lifetime_ops / (double)counts->freed : 0);
        sites_frames_json(sites, (uint32_t)i);
        putchar('}');
        separator = ",";
    }
    puts("\n  ]");
}

static const char *census_run(struct site_census *census)
{
    const struct sites *sites = trace_reader_sites(census->reader);
    size_t bytes = TRACE_BLOCK_OPS * sizeof(struct trace_op);
    census->sites = sites->count + 1;
    census->counts = pages_map(census->sites * sizeof *census->counts);
    struct trace_op *ops = pages_map(bytes);
    const char *fault = strerror(ENOMEM);
    if (census->counts != NULL && ops != NULL)
        fault = census_take(census, ops);
    if (fault == NULL) {
        printf("{\n  \"ops\": %" PRIu64 ",\n", census->ops);
        sites_modules_json(sites);
        sites_print(census, sites);
        puts("}");
    }
    pages_unmap(ops, bytes);
    pages_unmap(census->counts, census->sites * sizeof *census->counts);
    pages_unmap(census->blocks, census->capacity * sizeof *census->blocks);
    return fault;
}

/* A site_answer. */
static const char *sites_answer(struct trace_reader *reader)
{
    struct site_census census = {.reader = reader};
    return census_run(&census);
}

int sites_main(int argc, char **argv)
{
    return site_command_run(argc, argv, "sites FILE", sites_answer);
}
