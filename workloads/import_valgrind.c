/*
 * What valgrind --trace-malloc=yes says: "--PID-- malloc(N) = 0xP" among other lines, which are
 * skipped. No threads, no time. With --trace-children several processes write one log; the first is
 * taken.
 */
#include "import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How a function's arguments are printed. */
enum arguments {
    SIZE,            /* malloc(5) */
    COUNT_SIZE,      /* calloc(2,5) */
    POINTER_SIZE,    /* realloc(0x10,5), and what it calls: "malloc(5) = 0x20", "free(0x10)" */
    ALIGN_SIZE,      /* memalign(al 16, size 5) */
    POINTER,         /* free(0x10) */
    SIZE_MAYBE_ALIGN /* _Znwm(5), _ZnwmSt11align_val_t(size 5, al 16) */
};

struct function {
    const char *name; /* or, of C++'s operators, what the name begins with */
    bool operator;
    enum trace_kind kind;
    enum arguments arguments;
};

static const struct function functions[] = {
    {"malloc", false, TRACE_MALLOC, SIZE},
    {"free", false, TRACE_FREE, POINTER},
    {"calloc", false, TRACE_CALLOC, COUNT_SIZE},
    {"realloc", false, TRACE_REALLOC, POINTER_SIZE},
    {"memalign", false, TRACE_MEMALIGN, ALIGN_SIZE},
    {"_Znw", true, TRACE_MALLOC, SIZE_MAYBE_ALIGN},
    {"_Zna", true, TRACE_MALLOC, SIZE_MAYBE_ALIGN},
    {"_Zdl", true, TRACE_FREE, POINTER},
    {"_Zda", true, TRACE_FREE, POINTER},
    {"__builtin_new", false, TRACE_MALLOC, SIZE},
    {"__builtin_vec_new", false, TRACE_MALLOC, SIZE},
    {"__builtin_delete", false, TRACE_FREE, POINTER},
    {"__builtin_vec_delete", false, TRACE_FREE, POINTER},
    {"cfree", false, TRACE_FREE, POINTER},
};

/* What is known of a log so far. */
struct valgrind {
    struct import *import;
    bool known;
    uint64_t pid;    /* of the first process */
    uint64_t others; /* calls of other processes */
    uint64_t torn;   /* calls whose result is on no line of theirs */
};

/* The function at *at, which moves behind its bracket; NULL: none. */
static const struct function *function_take(const char **at)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const char *behind = *at;
        if (*behind != *functions[i].name || !scan_text(&behind, functions[i].name))
            continue;
        if (functions[i].operator)
            behind +=
                strspn(behind, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (!scan_char(&behind, '('))
            continue;
        *at = behind;
        return &functions[i];
    }
    return NULL;
}

/* "al 16, size 5", or the other way round. */
static bool pair_take(const char **at, const char *first, uint64_t *a, const char *second,
                      uint64_t *b)
{
    return scan_text(at, first) && scan_decimal(at, a) && scan_text(at, second) &&
           scan_decimal(at, b);
}

/* All up to the closing bracket, and that. */
static bool arguments_take(const char **at, enum arguments arguments, struct call *call)
{
    bool taken = false;
    switch (arguments) {
    case SIZE_MAYBE_ALIGN:
        if (**at == 's') {
            call->kind = TRACE_ALIGNED_ALLOC;
            taken = pair_take(at, "size ", &call->size, ", al ", &call->count);
            break;
        } /* fall through */
    case SIZE:
        taken = scan_decimal(at, &call->size);
        break;
    case ALIGN_SIZE:
        taken = pair_take(at, "al ", &call->count, ", size ", &call->size);
        break;
    case COUNT_SIZE:
        taken =
            scan_decimal(at, &call->count) && scan_char(at, ',') && scan_decimal(at, &call->size);
        break;
    case POINTER_SIZE:
        taken = scan_0x(at, &call->old) && scan_char(at, ',') && scan_decimal(at, &call->size);
        break;
    case POINTER:
        taken = scan_0x(at, &call->old);
    }
    return taken && scan_char(at, ')');
}

/* A realloc of NULL is done by malloc, one to nothing by free, and they print on the same line. */
static void inner_skip(const char **at, const struct call *call)
{
    if (call->old == 0 && scan_text(at, "malloc("))
        *at += strcspn(*at, ")") + (strchr(*at, ')') != NULL);
}

/* " = 0x10"; a realloc to nothing has no result. */
static bool result_take(const char **at, struct call *call)
{
    const char *freed = *at;
    if (call->kind == TRACE_REALLOC && call->old != 0 && call->size == 0 &&
        scan_text(&freed, "free("))
        return true;
    return scan_text(at, " = ") && scan_0x(at, &call->result);
}

/* Adds the call at `at`, behind the process's number. */
static bool call_add(struct valgrind *valgrind, const char *at)
{
    struct import *import = valgrind->import;
    const struct function *function = function_take(&at);
    if (function == NULL)
        return true;
    struct call call = {.kind = function->kind};
    if (!arguments_take(&at, function->arguments, &call))
        return import_fail(import, "argument is no number");
    if (call.kind == TRACE_REALLOC)
        inner_skip(&at, &call);
    if (call.kind != TRACE_FREE && !result_take(&at, &call)) {
        valgrind->torn++;
        return true;
    }
    return import_call(import, &call);
}

/* "--123-- "; with --time-stamp=yes, "--00:00:00:01.087 123-- ". */
static bool pid_take(const char **at, uint64_t *pid)
{
    if (!scan_text(at, "--") || !scan_decimal(at, pid))
        return false;
    if (**at == ':') {
        *at += strspn(*at, "0123456789:.");
        if (!scan_char(at, ' ') || !scan_decimal(at, pid))
            return false;
    }
    return scan_text(at, "-- ");
}

static bool line_add(struct valgrind *valgrind)
{
    const char *at = valgrind->import->lines.text;
    uint64_t pid;
    if (!pid_take(&at, &pid))
        return true;
    if (!valgrind->known) {
        const char *call = at;
        valgrind->known = function_take(&call) != NULL;
        valgrind->pid = pid;
    }
    if (!valgrind->known || pid == valgrind->pid)
        return call_add(valgrind, at);
    valgrind->others += function_take(&at) != NULL;
    return true;
}

static bool valgrind_read(struct import *import)
{
    struct valgrind valgrind = {.import = import};
    while (import_line(import)) {
        if (!line_add(&valgrind))
            return false;
    }
    if (!valgrind.known && import->error[0] == '\0')
        return import_fail(import, "no call was found: was it valgrind --trace-malloc=yes?");
    import_lose(import, "lost_threads", "the log has no threads, no time");
    import_lose(import, "lost_alignment",
                "memalign, posix_memalign, aligned_alloc and valloc appear as memalign");
    if (valgrind.others > 0)
        import_lose(import, "lost_processes", "%" PRIu64 " calls of other processes left out",
                    valgrind.others);
    if (valgrind.torn > 0)
        import_lose(import, "lost_ops", "%" PRIu64 " calls without a result left out",
                    valgrind.torn);
    return import->error[0] == '\0';
}

/* Valgrind's own lines begin with "==PID==" or "--PID--". */
static bool valgrind_sniff(const char *head, size_t bytes)
{
    (void)bytes;
    for (const char *line = head; line != NULL; line = strchr(line, '\n')) {
        uint64_t pid;
        line += *line == '\n';
        const char *at = line;
        if (pid_take(&at, &pid) && function_take(&at) != NULL)
            return true;
        at = line;
        if (scan_text(&at, "==") && scan_decimal(&at, &pid) && scan_text(&at, "== Memcheck"))
            return true;
    }
    return false;
}

const struct import_format import_valgrind = {
    .name = "valgrind",
    .summary = "what valgrind --trace-malloc=yes says",
    .sniff = valgrind_sniff,
    .read = valgrind_read,
};
