/*
 * One way through the trace answers all lines, see site_moments.h.
 */
#include "site_moments.h"

#include "pages.h"
#include "site_command.h"
#include "sites_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A line of standard input. */
struct asked {
    bool is_there;
    bool wants_live; /* else who made the call */
    uint64_t op;
};

struct owned {
    uint64_t bytes;
    uint32_t site;
};

struct moments {
    struct trace_reader *reader;
    const struct sites *sites;
    struct asked asked;   /* the next line to be answered */
    uint64_t *live;       /* bytes, by number of the site; 0 is nobody's that is known */
    uint64_t live_sum;    /* of all sites */
    struct owned *blocks; /* by slot; 0 bytes where there is none */
    size_t capacity;
    uint64_t ops; /* read so far */
    const char *separator;
};

/* Takes the next line; NULL, or what is wrong with it. */
static const char *asked_take(struct moments *moments)
{
    char word[8] = "";
    uint64_t op = 0;
    int taken = scanf(" %7s %" SCNu64, word, &op);
    struct asked next = {.is_there = taken == 2, .op = op, .wants_live = strcmp(word, "live") == 0};
    if (taken == EOF)
        return moments->asked.is_there = false, NULL;
    if (taken != 2 || (!next.wants_live && strcmp(word, "op") != 0))
        return "standard input: op N or live N is needed";
    if (op < moments->ops)
        return "standard input: the numbers decrease";
    moments->asked = next;
    return NULL;
}

static void block_set(struct moments *moments, struct owned *block, struct owned next)
{
    moments->live[block->site] -= block->bytes;
    moments->live[next.site] += next.bytes;
    moments->live_sum += next.bytes - block->bytes;
    *block = next;
}

/* false and errno: no memory. */
static bool op_follow(struct moments *moments, const struct trace_op *op)
{
    void *p = moments->blocks;
    if (op->kind >= TRACE_THREAD_START || op->flags & TRACE_FAILED || op->slot == TRACE_NO_SLOT)
        return true;
    if (!pages_reserve(&p, &moments->capacity, sizeof *moments->blocks, (size_t)op->slot + 1))
        return false;
    moments->blocks = p;
    struct owned next = {trace_op_bytes(op), op->site};
    block_set(moments, &moments->blocks[op->slot],
              trace_op_frees(op) ? (struct owned){0, 0} : next);
    return true;
}

/* The numbers of the sites with most live bytes, the first of them first; returns how many. */
static unsigned most_live(const struct moments *moments, uint32_t most[MOMENT_SITES])
{
    unsigned n = 0;
    for (size_t site = 0; site <= moments->sites->count; site++) {
        uint64_t live = moments->live[site];
        unsigned at = n;
        while (at > 0 && moments->live[most[at - 1]] < live)
            at--;
        if (live == 0 || at == MOMENT_SITES)
            continue;
        n += n < MOMENT_SITES;
        memmove(&most[at + 1], &most[at], (n - 1 - at) * sizeof *most);
        most[at] = (uint32_t)site;
    }
    return n;
}

static void live_print(const struct moments *moments)
{
    uint32_t most[MOMENT_SITES];
    unsigned n = most_live(moments, most);
    printf("\"live\": %" PRIu64 ", \"sites\": [", moments->live_sum);
    for (unsigned i = 0; i < n; i++) {
        printf("%s{\"live\": %" PRIu64 ", ", i ? ", " : "", moments->live[most[i]]);
        sites_frames_json(moments->sites, most[i]);
        putchar('}');
    }
    putchar(']');
}

/* Answers all lines that are about operation moments->ops, which was made by `site`. */
static const char *moment_answer(struct moments *moments, uint32_t site)
{
    const char *fault = NULL;
    while (fault == NULL && moments->asked.is_there && moments->asked.op == moments->ops) {
        printf("%s\n    {\"op\": %" PRIu64 ", ", moments->separator, moments->ops);
        if (moments->asked.wants_live)
            live_print(moments);
        else
            sites_frames_json(moments->sites, site);
        putchar('}');
        moments->separator = ",";
        fault = asked_take(moments);
    }
    return fault;
}

/* NULL, or what went wrong. */
static const char *block_follow(struct moments *moments, const struct trace_op *ops, size_t n)
{
    const char *fault = NULL;
    for (size_t i = 0; fault == NULL && i < n && moments->asked.is_there; i++) {
        moments->ops++;
        if (!op_follow(moments, &ops[i]))
            return strerror(errno);
        fault = moment_answer(moments, ops[i].site);
    }
    return fault;
}

static const char *trace_follow(struct moments *moments, struct trace_op *ops)
{
    size_t n = 1;
    const char *fault = asked_take(moments);
    if (fault == NULL)
        fault = moment_answer(moments, 0);
    while (fault == NULL && n > 0 && moments->asked.is_there) {
        if (!trace_reader_next(moments->reader, ops, &n))
            return trace_reader_error(moments->reader);
        fault = block_follow(moments, ops, n);
    }
    if (fault == NULL && moments->asked.is_there)
        return "standard input: an operation behind the trace's end";
    return fault;
}

static const char *moments_run(struct moments *moments)
{
    size_t ops_bytes = TRACE_BLOCK_OPS * sizeof(struct trace_op);
    size_t live_bytes = (moments->sites->count + 1) * sizeof *moments->live;
    struct trace_op *ops = pages_map(ops_bytes);
    moments->live = pages_map(live_bytes);
    const char *fault = strerror(ENOMEM);
    if (moments->live != NULL && ops != NULL) {
        puts("{");
        sites_modules_json(moments->sites);
        fputs("  \"moments\": [", stdout);
        fault = trace_follow(moments, ops);
        puts("\n  ]\n}");
    }
    pages_unmap(ops, ops_bytes);
    pages_unmap(moments->live, live_bytes);
    pages_unmap(moments->blocks, moments->capacity * sizeof *moments->blocks);
    return fault;
}

/* A site_answer. */
static const char *moments_answer(struct trace_reader *reader)
{
    struct moments moments = {
        .reader = reader, .sites = trace_reader_sites(reader), .separator = ""};
    return moments_run(&moments);
}

int moments_main(int argc, char **argv)
{
    return site_command_run(argc, argv, "moments FILE < LINES", moments_answer);
}
