/*
 * What valgrind --trace-malloc=yes says: "--PID-- malloc(N) = 0xP" among other lines, which are
 * skipped. No threads, no time. With --trace-children several processes write one log; the first is
 * taken. A result can stand on a line of its own: "--PID--  = 0xP".
 */
#include "import.h"

#include "plural.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How a function's arguments are printed. */
enum arguments {
    SIZE,               /* malloc(5) */
    COUNT_SIZE,         /* calloc(2,5) */
    POINTER_SIZE,       /* realloc(0x10,5), and what it calls: "malloc(5) = 0x20", "free(0x10)" */
    POINTER_COUNT_SIZE, /* reallocarray(0x10,2,5) */
    ALIGN_SIZE,         /* memalign(al 16, size 5) */
    POINTER,            /* free(0x10) */
    SIZE_MAYBE_ALIGN    /* _Znwm(5), _ZnwmSt11align_val_t(size 5, al 16) */
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
    {"reallocarray", false, TRACE_REALLOC, POINTER_COUNT_SIZE},
    {"memalign", false, TRACE_MEMALIGN, ALIGN_SIZE},
    {"aligned_alloc", false, TRACE_ALIGNED_ALLOC, ALIGN_SIZE},
    {"posix_memalign", false, TRACE_POSIX_MEMALIGN, ALIGN_SIZE},
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
    uint64_t pid;        /* of the first process */
    uint64_t others;     /* calls of other processes */
    uint64_t torn;       /* calls of which the request or the result is missing */
    struct call waiting; /* while `waits`: a call whose result is still to come */
    bool waits;
    uint64_t last;      /* the result of the last call; 0: it had none */
    bool names_aligned; /* aligned calls go by their names */
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

/* "2,5", of which the product counts; what is too much stays so. */
static bool product_take(const char **at, uint64_t *product)
{
    uint64_t count, size;
    if (!scan_decimal(at, &count) || !scan_char(at, ',') || !scan_decimal(at, &size))
        return false;
    if (__builtin_mul_overflow(count, size, product))
        *product = UINT64_MAX;
    return true;
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
    case POINTER_COUNT_SIZE:
        taken = scan_0x(at, &call->old) && scan_char(at, ',') && product_take(at, &call->size);
        break;
    case POINTER:
        taken = scan_0x(at, &call->old);
    }
    return taken && scan_char(at, ')');
}

/* A realloc of NULL may be done by malloc, which prints on the same line. */
static void inner_skip(const char **at, const struct call *call)
{
    if (call->old == 0 && scan_text(at, "malloc("))
        *at += strcspn(*at, ")") + (strchr(*at, ')') != NULL);
}

/* " = 0x10"; " = 0" of a request that was refused unread. */
static bool result_take(const char **at, uint64_t *result)
{
    if (!scan_text(at, " = "))
        return false;
    if (scan_0x(at, result))
        return true;
    *result = 0;
    return scan_char(at, '0');
}

static bool call_end(struct valgrind *valgrind, const struct call *call)
{
    valgrind->last = call->result;
    return import_call(valgrind->import, call);
}

/* A call waits for its result no longer. A realloc to nothing need not have one: it frees. */
static bool waiting_end(struct valgrind *valgrind)
{
    const struct call *call = &valgrind->waiting;
    if (!valgrind->waits)
        return true;
    valgrind->waits = false;
    if (call->kind == TRACE_REALLOC && call->old != 0 && call->size == 0)
        return call_end(valgrind, call);
    valgrind->torn++;
    return true;
}

/* Adds the call at `at`, behind the process's number. */
static bool call_add(struct valgrind *valgrind, const char *at)
{
    const struct function *function = function_take(&at);
    if (function == NULL)
        return true;
    struct call call = {.kind = function->kind};
    if (valgrind->import->lines.cut || !arguments_take(&at, function->arguments, &call))
        return import_fail(valgrind->import, "argument is no number");
    if (!waiting_end(valgrind))
        return false;
    valgrind->names_aligned |=
        function->arguments == ALIGN_SIZE && function->kind != TRACE_MEMALIGN;
    if (call.kind == TRACE_REALLOC)
        inner_skip(&at, &call);
    if (call.kind == TRACE_FREE || result_take(&at, &call.result))
        return call_end(valgrind, &call);
    valgrind->waiting = call;
    valgrind->waits = true;
    return true;
}

/* A result on a line of its own. Without a call that waits, it is reallocarray's, told again, or
 * all that is told of valloc. */
static bool result_add(struct valgrind *valgrind, uint64_t result)
{
    if (valgrind->waits) {
        valgrind->waits = false;
        valgrind->waiting.result = result;
        return call_end(valgrind, &valgrind->waiting);
    }
    valgrind->torn += result != 0 && result != valgrind->last;
    return true;
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
    if (!valgrind->known)
        return true;
    if (pid != valgrind->pid) {
        valgrind->others += function_take(&at) != NULL;
        return true;
    }
    uint64_t result;
    return result_take(&at, &result) ? result_add(valgrind, result) : call_add(valgrind, at);
}

static bool valgrind_read(struct import *import)
{
    struct valgrind valgrind = {.import = import};
    import->lines.cuts = true; /* of what the program says, too */
    while (import_line(import)) {
        if (!line_add(&valgrind))
            return false;
    }
    if (!waiting_end(&valgrind))
        return false;
    if (!valgrind.known && import->error[0] == '\0')
        return import_fail(import, "no call was found: was it valgrind --trace-malloc=yes?");
    import_lose(import, "lost_threads", "the log has no threads, no time");
    if (!valgrind.names_aligned)
        import_lose(import, "lost_alignment",
                    "memalign, posix_memalign, aligned_alloc and valloc appear as memalign");
    if (valgrind.others > 0)
        import_lose(import, "lost_processes", "%s call%s of other processes left out",
                    grouped(valgrind.others).text, plural(valgrind.others));
    if (valgrind.torn > 0)
        import_lose(import, "lost_ops", "%s call%s without a request or a result left out",
                    grouped(valgrind.torn).text, plural(valgrind.torn));
    return import->error[0] == '\0';
}

/* Valgrind's own lines begin with "==PID==" or "--PID--". */
static bool valgrind_sniff(const char *head, size_t bytes)
{
    const char *end = head + bytes;
    for (const char *line = head; line != NULL; line = memchr(line, '\n', (size_t)(end - line))) {
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
