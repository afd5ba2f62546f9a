/*
 * What ltrace writes: "[PID] [TIME] [[0xIP]] [LIB->]FUNCTION[@LIB](ARGUMENTS) = RESULT
 * [<SECONDS>]", and calls in two halves where something came between. Other functions' lines are
 * skipped. A call that another one makes, while that is unfinished in the same thread, is part of
 * it.
 */
#include "import.h"

#include "plural.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FLIGHTS_MAX = 1024, /* arbitrary: most calls that are unfinished at a time */
    ARGUMENTS_MAX = 3,
    KEY_STEP = 32, /* the builder expects keys as far apart as addresses of blocks are */
};
#define SECOND_NS    UINT64_C(1000000000)
#define DAY_NS       (86400 * SECOND_NS)
#define UNSEEN_FIRST (UINT64_C(1) << 63) /* keys of blocks whose address is not printed */

/* What an argument is. */
enum role { NONE, SIZE, COUNT, OLD, OUT };

struct function {
    const char *name;
    bool begins; /* the name is what C++'s operators begin with */
    enum trace_kind kind;
    enum role roles[ARGUMENTS_MAX];
};

static const struct function functions[] = {
    {"malloc", false, TRACE_MALLOC, {SIZE}},
    {"free", false, TRACE_FREE, {OLD}},
    {"calloc", false, TRACE_CALLOC, {COUNT, SIZE}},
    {"realloc", false, TRACE_REALLOC, {OLD, SIZE}},
    {"memalign", false, TRACE_MEMALIGN, {COUNT, SIZE}},
    {"aligned_alloc", false, TRACE_ALIGNED_ALLOC, {COUNT, SIZE}},
    {"posix_memalign", false, TRACE_POSIX_MEMALIGN, {OUT, COUNT, SIZE}},
    {"valloc", false, TRACE_VALLOC, {SIZE}},
    {"pvalloc", false, TRACE_PVALLOC, {SIZE}},
    {"cfree", false, TRACE_FREE, {OLD}},
    {"_ZnwmSt11align_val_t", true, TRACE_ALIGNED_ALLOC, {SIZE, COUNT}},
    {"_ZnamSt11align_val_t", true, TRACE_ALIGNED_ALLOC, {SIZE, COUNT}},
    {"_Znw", true, TRACE_MALLOC, {SIZE}},
    {"_Zna", true, TRACE_MALLOC, {SIZE}},
    {"_Zdl", true, TRACE_FREE, {OLD}},
    {"_Zda", true, TRACE_FREE, {OLD}},
};

/* An unfinished call. */
struct flight {
    const struct function *function;
    struct call call;
    bool inner; /* made by another one that is unfinished */
};

/* What stands before the function's name. */
struct prefix {
    uint64_t pid;
    bool timed, of_day;
    uint64_t time_ns; /* of day, since 1970, or since the line before */
};

struct ltrace {
    struct import *import;
    bool timed, relative;
    uint64_t before_ns; /* the last time read ... */
    uint64_t time_ns;   /* ... and that since the first */
    uint64_t unseen;    /* blocks whose address is not printed */
    uint64_t halves;    /* calls of which one half is missing */
    uint64_t misnamed;  /* calls from inside libc */
    size_t flights_used;
    struct flight flights[FLIGHTS_MAX]; /* in order of their beginnings */
};

/* "12.5" (seconds) or "23:59:59.5", behind its first number. */
static bool time_take(const char **at, uint64_t number, uint64_t *time_ns)
{
    uint64_t seconds = number, part, scale = SECOND_NS;
    while (scan_char(at, ':')) {
        if (!scan_decimal(at, &part) || part > 60 || seconds > 24 * 60)
            return false;
        seconds = seconds * 60 + part;
    }
    if (seconds > UINT32_MAX)
        return false;
    *time_ns = seconds * SECOND_NS;
    if (scan_char(at, '.')) {
        for (; **at >= '0' && **at <= '9'; ++*at) {
            scale /= 10;
            *time_ns += (uint64_t)(**at - '0') * scale;
        }
    }
    return true;
}

static bool prefix_take(const char **at, struct prefix *prefix)
{
    uint64_t number;
    for (;;) {
        scan_blanks(at);
        if (scan_text(at, "[pid ")) {
            if (!scan_decimal(at, &prefix->pid) || !scan_char(at, ']'))
                return false;
        } else if (scan_char(at, '[')) {
            if (!scan_0x(at, &number) || !scan_char(at, ']'))
                return false;
        } else if (scan_decimal(at, &number)) {
            bool time = **at == '.' || **at == ':';
            prefix->of_day |= **at == ':';
            prefix->timed |= time;
            if (!time)
                prefix->pid = number;
            else if (!time_take(at, number, &prefix->time_ns))
                return false;
        } else {
            return true;
        }
        if (**at != ' ' && **at != '\t')
            return false;
    }
}

static size_t name_length(const char *at)
{
    size_t n = 0;
    while (((at[n] | 32) >= 'a' && (at[n] | 32) <= 'z') || (at[n] >= '0' && at[n] <= '9') ||
           at[n] == '_')
        n++;
    return n;
}

/* "[LIB->]NAME[@LIB]", and `behind` it; *at moves behind that. NULL: none of ours. */
static const struct function *function_take(const char **at, const char *behind)
{
    const char *name = *at;
    size_t length = strcspn(name, "( ");
    const char *end = name + length;
    const char *arrow = memrchr(name, '>', length);
    if (arrow != NULL && arrow > name && arrow[-1] == '-')
        name = arrow + 1;
    length = name_length(name);
    if ((name + length != end && name[length] != '@') || !scan_text(&end, behind))
        return NULL;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const struct function *function = &functions[i];
        size_t known = strlen(function->name);
        if ((function->begins ? length >= known : length == known) &&
            memcmp(name, function->name, known) == 0) {
            *at = end;
            return function;
        }
    }
    return NULL;
}

static bool value_take(const char **at, uint64_t *value)
{
    *value = 0;
    return scan_text(at, "(nil)") || scan_text(at, "nil") || scan_text(at, "NULL") ||
           scan_0x(at, value) || scan_decimal(at, value);
}

/* Those that the function has; ltrace may print more, which mean nothing. */
static bool arguments_take(const char **at, const struct function *function, struct call *call)
{
    for (int i = 0; i < ARGUMENTS_MAX && function->roles[i] != NONE; i++) {
        uint64_t value;
        if (i > 0 && !(scan_char(at, ',') && (scan_blanks(at), true)))
            return false;
        if (!value_take(at, &value) || strchr(",) ", **at) == NULL)
            return false;
        if (function->roles[i] == SIZE)
            call->size = value;
        else if (function->roles[i] == COUNT)
            call->count = value;
        else if (function->roles[i] == OLD)
            call->old = value;
    }
    return true;
}

/* The innermost unfinished call of a thread; NULL: none. */
static struct flight *flight_find(struct ltrace *ltrace, uint64_t pid)
{
    for (size_t i = ltrace->flights_used; i-- > 0;) {
        if (ltrace->flights[i].call.thread == pid)
            return &ltrace->flights[i];
    }
    return NULL;
}

static void flight_end(struct ltrace *ltrace, struct flight *flight)
{
    size_t behind = (size_t)(ltrace->flights + ltrace->flights_used - flight) - 1;
    memmove(flight, flight + 1, behind * sizeof *flight);
    ltrace->flights_used--;
}

/* A call that came back. posix_memalign returns 0 and does not print the address. */
static bool call_finish(struct ltrace *ltrace, struct call *call, const char *at)
{
    uint64_t value;
    if (call->kind == TRACE_FREE)
        return import_call(ltrace->import, call);
    if (!value_take(&at, &value))
        return import_fail(ltrace->import, "result is no number");
    if (call->kind != TRACE_POSIX_MEMALIGN)
        call->result = value;
    else if (value == 0)
        call->result = UNSEEN_FIRST + KEY_STEP * ltrace->unseen++;
    return import_call(ltrace->import, call);
}

/* A free takes effect at once: the address may be another thread's before it came back. */
static bool flight_begin(struct ltrace *ltrace, const struct function *function, struct call *call,
                         bool inner)
{
    if (ltrace->flights_used == FLIGHTS_MAX)
        return import_fail(ltrace->import, "more than 1024 calls are unfinished");
    ltrace->flights[ltrace->flights_used++] = (struct flight){function, *call, inner};
    return inner || call->kind != TRACE_FREE || import_call(ltrace->import, call);
}

/* What stands behind ") = ", of whose blanks there may be many; NULL: nothing does. */
static const char *result_find(const char *at)
{
    const char *result = *at == ')' ? at : strstr(at, ") ");
    if (result == NULL)
        return NULL;
    result++;
    scan_blanks(&result);
    return scan_text(&result, "= ") ? result : NULL;
}

/* Behind the function's bracket. */
static bool call_take(struct ltrace *ltrace, const struct function *function, const char *at,
                      struct call *call)
{
    bool inner = flight_find(ltrace, call->thread) != NULL;
    call->kind = function->kind;
    if (ltrace->import->lines.cut || !arguments_take(&at, function, call))
        return import_fail(ltrace->import, "argument is no number");
    const char *result = result_find(at);
    if (result == NULL && strstr(at, "<unfinished ...>") != NULL)
        return flight_begin(ltrace, function, call, inner);
    if (result == NULL) {
        ltrace->halves++;
        return true;
    }
    return inner || call_finish(ltrace, call, result);
}

/* Behind "<... ". */
static bool resumed_take(struct ltrace *ltrace, const char *at, uint64_t pid)
{
    const struct function *function = function_take(&at, " resumed>");
    struct flight *flight = flight_find(ltrace, pid);
    if (function == NULL)
        return true;
    while (flight != NULL && flight->function != function) {
        ltrace->halves++;
        flight_end(ltrace, flight);
        flight = flight_find(ltrace, pid);
    }
    if (flight == NULL) {
        ltrace->halves++;
        return true;
    }
    struct flight ended = *flight;
    flight_end(ltrace, flight);
    if (ended.inner || ended.call.kind == TRACE_FREE)
        return true;
    const char *result = strstr(at, "= ");
    if (result == NULL) {
        ltrace->halves++;
        return true;
    }
    ended.call.time_ns = ltrace->time_ns;
    return call_finish(ltrace, &ended.call, result + 2);
}

/* What a thread that has ended had begun never comes back. */
static void thread_exited(struct ltrace *ltrace, uint64_t pid)
{
    for (struct flight *flight; (flight = flight_find(ltrace, pid)) != NULL;) {
        ltrace->halves += flight->call.kind != TRACE_FREE;
        flight_end(ltrace, flight);
    }
}

/* Seconds before 2001 are no time of the system but those since the line before; time of day begins
   again at midnight. */
static void time_set(struct ltrace *ltrace, const struct prefix *prefix)
{
    uint64_t now = prefix->time_ns;
    if (!prefix->timed)
        return;
    if (!ltrace->timed) {
        ltrace->timed = true;
        ltrace->relative = !prefix->of_day && now < UINT64_C(1000000000) * SECOND_NS;
        ltrace->before_ns = now;
    }
    if (ltrace->relative)
        ltrace->time_ns += now;
    else if (now >= ltrace->before_ns)
        ltrace->time_ns += now - ltrace->before_ns;
    else if (prefix->of_day && ltrace->before_ns - now > DAY_NS / 2)
        ltrace->time_ns += now + DAY_NS - ltrace->before_ns;
    ltrace->before_ns = now;
}

/* Most entries of libc's own table of calls have no name, and ltrace 0.7 gives them those of its
   few that have one: strlen comes out as realloc, with results that no realloc has. */
static bool is_misnamed(const char *name, const struct function *function)
{
    return (function->kind == TRACE_CALLOC || function->kind == TRACE_REALLOC) &&
           scan_text(&name, "libc.so.6->");
}

/* Such lines are a program's, but for those whose next word is a call of ours. */
static bool line_unread(struct ltrace *ltrace, const char *at)
{
    at += strcspn(at, " \t");
    scan_blanks(&at);
    return function_take(&at, "(") == NULL ||
           import_fail(ltrace->import, "before the call stands no thread, time or address");
}

static bool line_add(struct ltrace *ltrace)
{
    const char *at = ltrace->import->lines.text;
    struct prefix prefix = {0};
    if (!prefix_take(&at, &prefix))
        return line_unread(ltrace, at);
    time_set(ltrace, &prefix);
    struct call call = {.thread = prefix.pid, .time_ns = ltrace->time_ns};
    if (scan_text(&at, "<... "))
        return resumed_take(ltrace, at, prefix.pid);
    if (scan_text(&at, "+++ "))
        thread_exited(ltrace, prefix.pid);
    const char *name = at;
    const struct function *function = function_take(&at, "(");
    if (function == NULL)
        return true;
    if (is_misnamed(name, function)) {
        ltrace->misnamed++;
        return true;
    }
    return call_take(ltrace, function, at, &call);
}

static bool ltrace_read(struct import *import)
{
    static struct ltrace ltrace;
    ltrace = (struct ltrace){.import = import};
    import->lines.cuts = true; /* other functions may have long arguments */
    while (import_line(import)) {
        if (!line_add(&ltrace))
            return false;
    }
    for (size_t i = 0; i < ltrace.flights_used; i++)
        ltrace.halves += ltrace.flights[i].call.kind != TRACE_FREE;
    import_lose(import, "lost_ops", "only calls through the PLT of the traced files are seen");
    if (!ltrace.timed)
        import_lose(import, "lost_time", "the file has no times");
    if (ltrace.unseen > 0)
        import_lose(import, "lost_addresses",
                    "%s block%s of posix_memalign without an address, never freed",
                    grouped(ltrace.unseen).text, plural(ltrace.unseen));
    if (ltrace.misnamed > 0)
        import_lose(import, "lost_misnamed",
                    "%s call%s from inside libc, which ltrace misnames, left out",
                    grouped(ltrace.misnamed).text, plural(ltrace.misnamed));
    if (ltrace.halves > 0)
        import_lose(import, "lost_halves", "%s call%s of which one half is missing left out",
                    grouped(ltrace.halves).text, plural(ltrace.halves));
    return import->error[0] == '\0';
}

static bool ltrace_sniff(const char *head, size_t bytes)
{
    const char *end = head + bytes;
    for (const char *line = head; line != NULL; line = memchr(line, '\n', (size_t)(end - line))) {
        struct prefix prefix = {0};
        line += *line == '\n';
        const char *at = line;
        if (!prefix_take(&at, &prefix) || function_take(&at, "(") == NULL)
            continue;
        size_t rest = strcspn(at, "\n");
        const char *sign = strstr(at, " = ");
        const char *unfinished = strstr(at, "<unfinished ...>");
        if ((sign && sign < at + rest) || (unfinished && unfinished < at + rest))
            return true;
    }
    return false;
}

const struct import_format import_ltrace = {
    .name = "ltrace",
    .summary = "what ltrace writes of malloc and its siblings",
    .sniff = ltrace_sniff,
    .read = ltrace_read,
};
