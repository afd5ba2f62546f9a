/*
 * Android's memory_replay text: "TID: OP PTR ..." a line, optionally with nanosecond stamps behind.
 * Knows nothing of .zip files, in which such texts are usually found.
 */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, ARGUMENTS_MAX = 2 };

/* What stands behind PTR: decimal numbers, except the old pointer of a realloc. */
struct verb {
    const char *name;
    enum trace_kind kind;
    unsigned arguments;
};

static const struct verb verbs[] = {
    {"malloc", TRACE_MALLOC, 1},   {"calloc", TRACE_CALLOC, 2},
    {"realloc", TRACE_REALLOC, 2}, {"memalign", TRACE_MEMALIGN, 2},
    {"free", TRACE_FREE, 0},       {"thread_done", TRACE_THREAD_END, 0},
};

/* A line being taken apart. */
struct line {
    char *words[WORDS_MAX];
    size_t count;
};

/* Where the times of a file begin. */
struct clock {
    bool known;
    uint64_t start_ns;
};

static const struct verb *verb_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strlen(verbs[i].name) == length && memcmp(verbs[i].name, name, length) == 0)
            return &verbs[i];
    }
    return NULL;
}

/* A number and nothing else: no sign, no space, nothing behind it. */
static bool number_parse(const char *word, int base, uint64_t *number)
{
    char *end;
    if (base == 16) {
        if (word[0] != '0' || (word[1] != 'x' && word[1] != 'X'))
            return false;
        word += 2;
    }
    bool digit =
        base == 16 ? strspn(word, "0123456789abcdefABCDEF") > 0 : strspn(word, "0123456789") > 0;
    errno = 0;
    *number = strtoull(word, &end, base);
    return digit && *end == '\0' && errno == 0;
}

/* "123:" */
static bool thread_parse(char *word, uint64_t *thread)
{
    size_t length = strlen(word);
    if (length < 2 || word[length - 1] != ':')
        return false;
    word[length - 1] = '\0';
    return number_parse(word, 10, thread);
}

/* One word more than fits counts, so that what is too much is seen. */
static void line_split(struct line *line, char *text)
{
    char *rest = NULL;
    line->count = 0;
    for (char *word = strtok_r(text, " \t", &rest); word != NULL && line->count < WORDS_MAX;
         word = strtok_r(NULL, " \t", &rest))
        line->words[line->count++] = word;
}

static const char *call_arguments(struct call *call, const struct line *line)
{
    uint64_t numbers[ARGUMENTS_MAX] = {0};
    const struct verb *verb = verb_find(line->words[1], strlen(line->words[1]));
    for (size_t i = 0; i < verb->arguments; i++) {
        bool pointer = verb->kind == TRACE_REALLOC && i == 0;
        if (!number_parse(line->words[3 + i], pointer ? 16 : 10, &numbers[i]))
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
static const char *call_time(struct call *call, const struct line *line, size_t first,
                             struct clock *clock)
{
    uint64_t stamp;
    if (line->count == first)
        return NULL;
    for (size_t i = line->count; i-- > first;) {
        if (!number_parse(line->words[i], 10, &stamp))
            return "time stamp is no number";
    }
    if (!clock->known)
        *clock = (struct clock){true, stamp};
    call->time_ns = stamp > clock->start_ns ? stamp - clock->start_ns : 0;
    return NULL;
}

/* A call that succeeded asked for what there can be. */
static const char *call_fault(const struct call *call)
{
    uint64_t bytes = call->size;
    if (call->result == 0)
        return NULL;
    if (call->kind == TRACE_CALLOC && __builtin_mul_overflow(call->size, call->count, &bytes))
        return "more bytes than can be counted";
    return bytes > INT64_MAX ? "more bytes than there can be" : NULL;
}

static const char *call_parse(struct call *call, struct line *line, struct clock *clock)
{
    if (line->count < 3)
        return "want \"TID: OP PTR ...\"";
    const struct verb *verb = verb_find(line->words[1], strlen(line->words[1]));
    if (!thread_parse(line->words[0], &call->thread))
        return "want a thread's number and a colon";
    if (verb == NULL)
        return "unknown operation";
    uint64_t pointer;
    if (!number_parse(line->words[2], 16, &pointer))
        return "pointer is no hexadecimal number";
    size_t words = 3 + verb->arguments;
    size_t stamps = line->count - words;
    if (line->count < words)
        return "too few arguments";
    if (stamps != 0 && stamps != 2 && !(stamps == 1 && verb->kind == TRACE_THREAD_END))
        return "too many arguments";
    call->kind = verb->kind;
    *(verb->kind == TRACE_FREE ? &call->old : &call->result) = pointer;
    const char *fault = call_arguments(call, line);
    if (fault == NULL)
        fault = call_time(call, line, words, clock);
    return fault ? fault : call_fault(call);
}

static bool text_is_blank(const char *text)
{
    text += strspn(text, " \t");
    return *text == '\0' || *text == '#';
}

static bool memory_replay_read(FILE *in, struct builder *builder, struct import_notes *notes)
{
    struct import_lines lines = {.in = in};
    struct clock clock = {0};
    while (import_line(&lines, notes)) {
        if (text_is_blank(lines.text))
            continue;
        struct line line;
        struct call call = {0};
        line_split(&line, lines.text);
        const char *fault = call_parse(&call, &line, &clock);
        if (fault != NULL)
            return import_fail(&lines, notes, fault);
        if (!builder_add(builder, &call))
            return false;
    }
    snprintf(notes->losses, sizeof notes->losses, "lost_alignment=%s\n%s",
             "every aligned call appears as memalign",
             clock.known ? "" : "lost_time=the file has no times\n");
    return notes->error[0] == '\0';
}

/* Skips blank lines and comments; NULL if nothing else is there. */
static const char *head_first_line(const char *head, const char *end)
{
    while (head < end) {
        const char *line = head;
        while (head < end && (*head == ' ' || *head == '\t' || *head == '\r'))
            head++;
        if (head < end && *head != '\n' && *head != '#')
            return line;
        head = memchr(head, '\n', (size_t)(end - head));
        if (head == NULL)
            return NULL;
        head++;
    }
    return NULL;
}

static bool memory_replay_sniff(const char *head, size_t bytes)
{
    const char *end = head + bytes;
    const char *at = head_first_line(head, end);
    if (at == NULL)
        return false;
    const char *digits = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == digits || at == end || *at++ != ':')
        return false;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    const char *verb = at;
    while (at < end && ((*at >= 'a' && *at <= 'z') || *at == '_'))
        at++;
    return verb_find(verb, (size_t)(at - verb)) != NULL;
}

const struct import_format import_memory_replay = {
    .name = "memory_replay",
    .summary = "Android memory_replay text, or a .zip of one",
    .sniff = memory_replay_sniff,
    .read = memory_replay_read,
};
