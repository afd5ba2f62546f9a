/*
 * Android's memory_replay text: "TID: OP PTR ..." a line. Behind that, newer files have two stamps
 * in nanoseconds, and today's, for free and realloc, how many bytes of the old block were resident.
 * Knows nothing of the .zip files in which such texts are usually found.
 */
#include "import.h"

#include "plural.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What stands behind PTR: decimal numbers, except the old pointer of a realloc. */
struct verb {
    const char *name;
    enum trace_kind kind;
    unsigned arguments;
    bool presence; /* a third number may stand behind the stamps */
};

static const struct verb verbs[] = {
    {"malloc", TRACE_MALLOC, 1, false},     {"free", TRACE_FREE, 0, true},
    {"realloc", TRACE_REALLOC, 2, true},    {"calloc", TRACE_CALLOC, 2, false},
    {"memalign", TRACE_MEMALIGN, 2, false}, {"thread_done", TRACE_THREAD_END, 0, false},
};

/* What is known of a file so far. */
struct replay {
    struct import *import;
    bool timed;
    uint64_t start_ns; /* the first stamp */
    uint64_t known;    /* blocks given up whose presence is known ... */
    uint64_t asked;    /* ... bytes that were asked for them ... */
    uint64_t present;  /* ... and of these, resident */
};

/* The verb at *at, which moves behind it; NULL: none. */
static const struct verb *verb_take(const char **at)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const char *behind = *at;
        if (**at == *verbs[i].name && scan_text(&behind, verbs[i].name) &&
            (*behind == ' ' || *behind == '\t' || *behind == '\0')) {
            *at = behind;
            return &verbs[i];
        }
    }
    return NULL;
}

static inline bool scan_word_0x(const char **at, uint64_t *number)
{
    scan_blanks(at);
    return scan_0x(at, number) && (**at == ' ' || **at == '\t' || **at == '\0');
}

static inline bool scan_word_decimal(const char **at, uint64_t *number)
{
    scan_blanks(at);
    return scan_decimal(at, number) && (**at == ' ' || **at == '\t' || **at == '\0');
}

static const char *arguments_take(const char **at, const struct lines *lines,
                                  const struct verb *verb, struct call *call)
{
    uint64_t numbers[2] = {0};
    for (unsigned i = 0; i < verb->arguments; i++) {
        bool pointer = verb->kind == TRACE_REALLOC && i == 0;
        if (scan_end(lines, *at))
            return "too few arguments";
        if (!(pointer ? scan_word_0x : scan_word_decimal)(at, &numbers[i]))
            return pointer ? "old pointer is no hexadecimal number" : "argument is no number";
    }
    call->size = verb->arguments == 1 ? numbers[0] : numbers[1];
    if (verb->kind == TRACE_REALLOC)
        call->old = numbers[0];
    else if (verb->arguments == 2)
        call->count = numbers[0];
    return NULL;
}

/* The time since the first stamp. Of the two, the call's start is taken. */
static void call_time(struct replay *replay, struct call *call, uint64_t stamp, uint64_t end)
{
    if (stamp == 0 && end == 0)
        return; /* not known: such files have presence alone */
    if (!replay->timed) {
        replay->timed = true;
        replay->start_ns = stamp;
    }
    call->time_ns = stamp > replay->start_ns ? stamp - replay->start_ns : 0;
    call->begin_ns = stamp;
    call->end_ns = end > stamp ? end : stamp;
}

/* A block has no more resident bytes than were asked for it. */
static void presence_add(struct replay *replay, struct call *call, uint64_t present)
{
    uint64_t asked;
    call->present = present < UINT64_MAX ? present + 1 : UINT64_MAX;
    if (!builder_find(replay->import->builder, call->old, &asked))
        return;
    replay->known++;
    replay->asked += asked;
    replay->present += present < asked ? present : asked;
}

static const char *presence_take(struct replay *replay, const char **at, struct call *call)
{
    uint64_t present;
    scan_blanks(at);
    if (scan_text(at, "-1"))
        return NULL;
    if (!scan_word_decimal(at, &present))
        return "present bytes are no number";
    presence_add(replay, call, present);
    return NULL;
}

static const char *stamps_take(struct replay *replay, const char *at, const struct verb *verb,
                               struct call *call)
{
    const struct lines *lines = &replay->import->lines;
    uint64_t start, end = 0;
    if (!scan_word_decimal(&at, &start))
        return "time stamp is no number";
    bool lone = scan_end(lines, at);
    if (lone && verb->kind != TRACE_THREAD_END)
        return "too many arguments";
    if (!lone && !scan_word_decimal(&at, &end))
        return "time stamp is no number";
    call_time(replay, call, start, end);
    if (verb->presence && !scan_end(lines, at)) {
        const char *fault = presence_take(replay, &at, call);
        if (fault != NULL)
            return fault;
    }
    return scan_end(lines, at) ? NULL : "too many arguments";
}

/* NULL, or what is wrong. */
static const char *call_take(struct replay *replay, const char *at, struct call *call)
{
    const struct lines *lines = &replay->import->lines;
    uint64_t pointer;
    if (!scan_decimal(&at, &call->thread) || !scan_char(&at, ':'))
        return "want a thread's number and a colon";
    scan_blanks(&at);
    const struct verb *verb = verb_take(&at);
    if (verb == NULL)
        return "unknown operation";
    if (!scan_word_0x(&at, &pointer))
        return "pointer is no hexadecimal number";
    call->kind = verb->kind;
    *(verb->kind == TRACE_FREE ? &call->old : &call->result) = pointer;
    const char *fault = arguments_take(&at, lines, verb, call);
    if (fault != NULL || at == lines->end || scan_end(lines, at))
        return fault;
    return stamps_take(replay, at, verb, call);
}

static void losses_note(const struct replay *replay)
{
    struct import *import = replay->import;
    import_lose(import, "lost_alignment", "every aligned call appears as memalign");
    if (!replay->timed)
        import_lose(import, "lost_time", "the file has no times");
    if (replay->known > 0)
        import_lose(import, "recorded_presence",
                    "%" PRIu64 " block%s given up: %" PRIu64 " byte%s, %" PRIu64
                    " of them resident",
                    replay->known, plural(replay->known), replay->asked, plural(replay->asked),
                    replay->present);
}

static bool memory_replay_read(struct import *import)
{
    struct replay replay = {.import = import};
    builder_hold_races(import->builder);
    while (import_line(import)) {
        const char *at = import->lines.text;
        scan_blanks(&at);
        if (at == import->lines.end || *at == '#')
            continue;
        struct call call = {0};
        const char *fault = call_take(&replay, at, &call);
        if (fault != NULL)
            return import_fail(import, fault);
        if (!import_call(import, &call))
            return false;
    }
    losses_note(&replay);
    return import->error[0] == '\0';
}

/* Skips blank lines and comments. */
static const char *head_first_line(const char *head)
{
    for (;;) {
        const char *line = head;
        while (*line == ' ' || *line == '\t' || *line == '\r')
            line++;
        if (*line != '\n' && *line != '#')
            return line;
        head = strchr(line, '\n');
        if (head == NULL)
            return "";
        head++;
    }
}

static bool memory_replay_sniff(const char *head, size_t bytes)
{
    uint64_t thread;
    const char *at = head_first_line(head);
    (void)bytes;
    if (!scan_decimal(&at, &thread) || !scan_char(&at, ':'))
        return false;
    scan_blanks(&at);
    return verb_take(&at) != NULL;
}

/* The columns that a line tells of, if it is one of a free: stamps, and what was present. */
static unsigned free_columns(const char *text)
{
    char line[128];
    uint64_t start = 0, end = 0;
    int64_t present = -1;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    sscanf(line, "%*u: free %*x %" SCNu64 " %" SCNu64 " %" SCNd64, &start, &end, &present);
    return (start != 0 || end != 0 ? TRACE_GAPS : 0u) | (present >= 0 ? TRACE_PRESENT : 0u);
}

/* What frees say in the first lines: no other line says more. */
static unsigned memory_replay_columns(const char *head)
{
    unsigned columns = 0;
    for (const char *line = head; *line != '\0'; line += strcspn(line, "\n"), line += *line != '\0')
        columns |= free_columns(line);
    return columns;
}

const struct import_format import_memory_replay = {
    .name = "memory_replay",
    .summary = "Android memory_replay text, or a .zip of one",
    .sniff = memory_replay_sniff,
    .columns = memory_replay_columns,
    .read = memory_replay_read,
};
