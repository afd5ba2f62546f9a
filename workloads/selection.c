/*
 * The words of a selection.
 */
#include "selection.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number at *text, which moves behind it. Of a unit other than 1, a decimal fraction. */
static bool number_take(const char **text, uint64_t unit, uint64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    uint64_t whole = strtoull(*text, &end, 10);
    if (errno != 0 || __builtin_mul_overflow(whole, unit, value))
        return false;
    if (*end == '.' && unit > 1) {
        end++;
        for (uint64_t scale = unit / 10; isdigit((unsigned char)*end); end++, scale /= 10) {
            if (__builtin_add_overflow(*value, (uint64_t)(*end - '0') * scale, value))
                return false;
        }
    }
    *text = end;
    return true;
}

bool selection_range_parse(const char *text, uint64_t unit, struct selection_range *range)
{
    *range = (struct selection_range){0, UINT64_MAX};
    if (*text != ':' && !number_take(&text, unit, &range->from))
        return false;
    if (*text++ != ':')
        return false;
    if (*text != '\0' && !number_take(&text, unit, &range->to))
        return false;
    return *text == '\0' && range->from <= range->to;
}

static bool size_take(const char **text, uint64_t *value)
{
    static const char letters[] = "KMG";
    if (!number_take(text, 1, value))
        return false;
    const char *letter = **text ? strchr(letters, toupper((unsigned char)**text)) : NULL;
    if (letter == NULL)
        return true;
    ++*text;
    return !__builtin_mul_overflow(*value, UINT64_C(1) << (10 * (letter - letters + 1)), value);
}

bool selection_sizes_parse(const char *text, struct selection_range *range)
{
    *range = (struct selection_range){0, UINT64_MAX};
    if (*text != ':' && !size_take(&text, &range->from))
        return false;
    if (*text++ != ':')
        return false;
    if (*text != '\0') {
        if (!size_take(&text, &range->to) || range->to == UINT64_MAX)
            return false;
        range->to++;
    }
    return *text == '\0' && range->from < range->to;
}

bool selection_threads_parse(const char *text, struct selection_threads *threads)
{
    uint64_t from, to;
    *threads = (struct selection_threads){.any = false};
    do {
        if (!number_take(&text, 1, &from))
            return false;
        to = from;
        if (*text == '-' && (text++, !number_take(&text, 1, &to)))
            return false;
        if (from > to || to >= TRACE_THREADS_MAX)
            return false;
        for (uint64_t i = from; i <= to; i++)
            threads->bits[i / 64] |= UINT64_C(1) << (i % 64);
    } while (*text++ == ',');
    return text[-1] == '\0';
}

static bool kind_add(const char *word, size_t length, unsigned *kinds)
{
    for (int kind = 0; kind < TRACE_THREAD_START; kind++) {
        const char *name = trace_kind_name(kind);
        if (kind == TRACE_FREE || strlen(name) != length || memcmp(name, word, length) != 0)
            continue;
        *kinds |= 1u << kind;
        return true;
    }
    return false;
}

bool selection_kinds_parse(const char *text, unsigned *kinds)
{
    *kinds = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        if (!kind_add(text, length, kinds))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

bool selection_option(char step[SELECTION_STEP], const char *name, const char *value,
                      const char *want, bool ok)
{
    size_t at = strlen(step);
    if (ok)
        snprintf(step + at, SELECTION_STEP - at, " --%s %s", name, value);
    else
        fprintf(stderr, "--%s %s: %s\n", name, value, want);
    return ok;
}
