/*
 * The log that glibc's mtrace() writes: "[@ LOCATION ]OP ADDRESS [SIZE]" a line. Locations hold
 * spaces and brackets, so lines are taken apart from the right. No threads, no time, no alignment.
 */
#include "import.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 3 };

/* What is known of a log so far. */
struct mtrace {
    struct import *import;
    uint64_t resized; /* the address of a "<" whose ">" is to come; 0: none */
    uint64_t lost_resizes;
    bool cut;
};

/* The last words of a line, from the right. */
struct tail {
    const char *words[WORDS_MAX];
    const char *ends[WORDS_MAX];
    unsigned count;
};

static struct tail tail_take(const struct lines *lines)
{
    struct tail tail = {.count = 0};
    const char *at = lines->end;
    while (tail.count < WORDS_MAX) {
        while (at > lines->text && (at[-1] == ' ' || at[-1] == '\t'))
            at--;
        if (at == lines->text)
            break;
        tail.ends[tail.count] = at;
        while (at > lines->text && at[-1] != ' ' && at[-1] != '\t')
            at--;
        tail.words[tail.count++] = at;
    }
    return tail;
}

/* "0x12"; zero is printed as "0" or "(nil)". */
static bool number_take(const struct tail *tail, unsigned word, uint64_t *number)
{
    const char *at = tail->words[word];
    if (!scan_text(&at, "(nil)") && !scan_0x(&at, number) && !scan_char(&at, '0'))
        return false;
    return at == tail->ends[word];
}

/* The word is one character of `ops`: that character; else 0. */
static char op_take(const struct tail *tail, unsigned word, const char *ops)
{
    if (word >= tail->count || tail->ends[word] - tail->words[word] != 1)
        return '\0';
    char op = *tail->words[word];
    return op != '\0' && strchr(ops, op) ? op : '\0';
}

/* "@ LOCATION" or nothing stands before the operation. */
static bool location_fits(const struct lines *lines, const struct tail *tail, unsigned op)
{
    const char *at = lines->text;
    scan_blanks(&at);
    return at == tail->words[op] || *at == '@';
}

/* NULL, or what is wrong. */
static const char *line_take(const struct lines *lines, char *op, uint64_t *address, uint64_t *size)
{
    struct tail tail = tail_take(lines);
    unsigned at = 2;
    *op = op_take(&tail, 2, "+>!");
    if (*op == '\0') {
        *op = op_take(&tail, 1, "-<");
        at = 1;
    }
    if (*op == '\0' || !location_fits(lines, &tail, at))
        return "want \"[@ LOCATION ]OP ADDRESS [SIZE]\"";
    if (!number_take(&tail, at - 1, address))
        return "address is no hexadecimal number";
    if (at == 2 && !number_take(&tail, 0, size))
        return "size is no hexadecimal number";
    return NULL;
}

/* A "<" and the ">" behind it are one realloc. */
static bool event_add(struct mtrace *mtrace, char op, uint64_t address, uint64_t size)
{
    struct call call = {.size = size, .kind = TRACE_REALLOC, .old = mtrace->resized};
    if (op == '>' && mtrace->resized == 0)
        return import_fail(mtrace->import, "\">\" without a \"<\" before it");
    if (op != '>' && mtrace->resized != 0)
        return import_fail(mtrace->import, "\"<\" without a \">\" behind it");
    if (op == '<') {
        mtrace->resized = address;
        return address != 0 || import_fail(mtrace->import, "\"<\" of no block");
    }
    mtrace->resized = 0;
    if (op == '-' || op == '+')
        call.kind = op == '-' ? TRACE_FREE : TRACE_MALLOC;
    *(op == '-' || op == '!' ? &call.old : &call.result) = address;
    return import_call(mtrace->import, &call);
}

/* A program that crashed leaves its log as far as it was written: the last line may be a part of
 * one. */
static bool section_end(struct mtrace *mtrace)
{
    mtrace->lost_resizes += mtrace->resized != 0;
    mtrace->resized = 0;
    return true;
}

static bool line_add(struct mtrace *mtrace)
{
    struct import *import = mtrace->import;
    const char *at = import->lines.text;
    char op = '\0';
    uint64_t address = 0, size = 0;
    scan_blanks(&at);
    if (at == import->lines.end)
        return true;
    if (scan_text(&at, "= "))
        return section_end(mtrace);
    const char *fault = line_take(&import->lines, &op, &address, &size);
    if (fault == NULL)
        return event_add(mtrace, op, address, size);
    if (import->lines.complete)
        return import_fail(import, fault);
    mtrace->cut = true;
    return true;
}

static bool mtrace_read(struct import *import)
{
    struct mtrace mtrace = {.import = import};
    while (import_line(import)) {
        if (!line_add(&mtrace))
            return false;
    }
    section_end(&mtrace);
    import_lose(import, "lost_threads", "the log has no threads, no time");
    import_lose(import, "lost_calloc", "calloc and aligned calls appear as malloc");
    if (mtrace.lost_resizes > 0)
        import_lose(import, "lost_realloc", "a realloc has no end");
    if (mtrace.cut)
        import_lose(import, "lost_line", "the last line is cut and left out");
    return import->error[0] == '\0';
}

static bool mtrace_sniff(const char *head, size_t bytes)
{
    (void)bytes;
    head += strspn(head, " \t\r\n");
    return strncmp(head, "= Start", strlen("= Start")) == 0;
}

const struct import_format import_mtrace = {
    .name = "mtrace",
    .summary = "the log of glibc's mtrace()",
    .sniff = mtrace_sniff,
    .read = mtrace_read,
};
