/*
 * The .rep files of the CS:APP malloc lab: four numbers, then "a ID BYTES", "r ID BYTES" or "f ID"
 * a line. One thread, no time. Two headers are in use; a first number above 3 means the older one.
 */
#include "import.h"

#include "plural.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ID_SHIFT = 5 }; /* the builder expects keys as far apart as addresses of blocks are */
#define ID_MAX ((UINT64_C(1) << (64 - ID_SHIFT)) - 2)

struct header {
    uint64_t first; /* weight 0 to 3; or, classic, the suggested heap size */
    uint64_t ids;
    uint64_t ops;
    uint64_t last; /* classic: weight; else whether addresses out of range are ignored */
};

struct rep {
    struct import *import;
    struct header header;
    uint64_t ops;
    uint64_t largest_id; /* plus 1 */
};

/* Of the line at `text`; true once all four are there. The last of them ends its line. */
static bool header_take(struct rep *rep, uint64_t *numbers, unsigned *taken, const char **fault)
{
    const char *at = rep->import->lines.text;
    for (scan_blanks(&at); *taken < 4 && at != rep->import->lines.end; scan_blanks(&at)) {
        if (!scan_decimal(&at, &numbers[*taken]) || (*at != ' ' && *at != '\t' && *at != '\0')) {
            *fault = "the header is four numbers";
            return false;
        }
        ++*taken;
    }
    if (at != rep->import->lines.end)
        *fault = "the header is four numbers";
    return *taken == 4;
}

static bool header_read(struct rep *rep)
{
    uint64_t numbers[4];
    unsigned taken = 0;
    const char *fault = NULL;
    while (import_line(rep->import)) {
        bool all = header_take(rep, numbers, &taken, &fault);
        if (fault != NULL)
            return import_fail(rep->import, fault);
        if (!all)
            continue;
        rep->header = (struct header){numbers[0], numbers[1], numbers[2], numbers[3]};
        return true;
    }
    if (rep->import->error[0] == '\0')
        import_fail(rep->import, "the header is four numbers");
    return false;
}

/* "f -1" is free(NULL). */
static const char *id_take(struct rep *rep, const char **at, char op, uint64_t *key)
{
    uint64_t id;
    scan_blanks(at);
    *key = 0;
    if (op == 'f' && scan_text(at, "-1"))
        return NULL;
    if (*at == rep->import->lines.end)
        return "the id is missing";
    if (!scan_decimal(at, &id))
        return "the id is no number";
    if (id > ID_MAX)
        return "the id is too large";
    if (id >= rep->largest_id)
        rep->largest_id = id + 1;
    *key = (id + 1) << ID_SHIFT;
    return NULL;
}

static const char *size_take(struct rep *rep, const char **at, uint64_t *size)
{
    if (scan_end(&rep->import->lines, *at))
        return "the size is missing";
    if (!scan_char(at, ' ') && !scan_char(at, '\t'))
        return "the id is no number";
    scan_blanks(at);
    return scan_decimal(at, size) ? NULL : "the size is no number";
}

/* NULL, or what is wrong. */
static const char *call_take(struct rep *rep, const char *at, struct call *call)
{
    uint64_t key;
    char op = *at;
    if (op != 'a' && op != 'r' && op != 'f')
        return "unknown operation";
    at++;
    if (*at != ' ' && *at != '\t' && at != rep->import->lines.end)
        return "unknown operation";
    const char *fault = id_take(rep, &at, op, &key);
    if (fault == NULL && op != 'f')
        fault = size_take(rep, &at, &call->size);
    if (fault != NULL)
        return fault;
    call->kind = op == 'a' ? TRACE_MALLOC : op == 'f' ? TRACE_FREE : TRACE_REALLOC;
    /* A realloc of an id that is not live is one of NULL. */
    if (op == 'f' || (op == 'r' && builder_find(rep->import->builder, key, &(uint64_t){0})))
        call->old = key;
    if (op == 'a' || (op == 'r' && (call->size > 0 || call->old == 0)))
        call->result = key;
    return scan_end(&rep->import->lines, at) ? NULL : "too many arguments";
}

static void losses_note(const struct rep *rep)
{
    struct import *import = rep->import;
    import_lose(import, "lost_threads", "the format has one thread, no time");
    import_lose(import, "lost_calloc", "no calloc, no alignment");
    if (rep->ops != rep->header.ops)
        import_lose(import, "header_ops", "the header says %s operation%s, %s came",
                    grouped(rep->header.ops).text, plural(rep->header.ops), grouped(rep->ops).text);
    if (rep->largest_id > rep->header.ids)
        import_lose(import, "header_ids",
                    "the header says %" PRIu64 " id%s, the largest is %" PRIu64, rep->header.ids,
                    plural(rep->header.ids), rep->largest_id - 1);
}

static bool rep_read(struct import *import)
{
    struct rep rep = {.import = import};
    if (!header_read(&rep))
        return false;
    while (import_line(import)) {
        const char *at = import->lines.text;
        scan_blanks(&at);
        if (at == import->lines.end)
            continue;
        struct call call = {0};
        const char *fault = call_take(&rep, at, &call);
        if (fault != NULL)
            return import_fail(import, fault);
        if (!import_call(import, &call))
            return false;
        rep.ops++;
    }
    losses_note(&rep);
    return import->error[0] == '\0';
}

/* Four numbers, and then an operation or nothing. */
static bool rep_sniff(const char *head, size_t bytes)
{
    const char *at = head;
    uint64_t number;
    for (int i = 0; i < 4; i++) {
        at += strspn(at, " \t\r\n");
        if (!scan_decimal(&at, &number) || strchr(" \t\r\n", *at) == NULL)
            return false;
    }
    at += strspn(at, " \t\r\n");
    if (at == head + bytes)
        return true;
    return strchr("arf", *at) != NULL && (at[1] == ' ' || at[1] == '\t');
}

const struct import_format import_rep = {
    .name = "rep",
    .summary = "CS:APP malloc lab .rep",
    .sniff = rep_sniff,
    .read = rep_read,
};
