/*
 * A profile as JSON, written and read. The reader knows no more of JSON than a profile has: one
 * object, whose members are a number or an array of rows of whole numbers. It reads byte by byte,
 * and keeps nothing but rows.
 */
#include "synth_profile.h"
#include "unfinished.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, ROWS_MAX = 1 << 20, NAME_MAX_BYTES = 32 };
#define FORMAT_NAME "spanbench_profile"

static void table_write(const struct synth_profile *profile, enum synth_table table, FILE *out)
{
    const struct synth_table_shape *shape = &synth_shapes[table];
    fprintf(out, ",\n\"%s\": [", shape->name);
    for (size_t i = 0; i < synth_count(profile, table); i++) {
        const uint64_t *row = synth_row(profile, table, i);
        fprintf(out, "%s[", i == 0 ? "\n" : i % 8 == 0 ? ",\n" : ",");
        for (unsigned c = 0; c < shape->columns; c++)
            fprintf(out, "%s%" PRIu64, c ? "," : "", row[c]);
        fputc(']', out);
    }
    fputs("\n]", out);
}

static bool profile_print(const struct synth_profile *profile, FILE *out)
{
    fprintf(out, "{\"%s\": %d", FORMAT_NAME, FORMAT);
    for (int table = 0; table < SYNTH_TABLES; table++)
        table_write(profile, table, out);
    fputs("\n}\n", out);
    return fflush(out) == 0 && !ferror(out);
}

/* A file appears, or is replaced, when it is complete. */
static bool profile_replace(const struct synth_profile *profile, const char *path)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.%d.tmp", path, (int)getpid()) >= (int)sizeof beside) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = unfinished_open(beside, O_WRONLY);
    if (fd < 0)
        return false;
    FILE *out = fdopen(fd, "w");
    if (out == NULL) {
        close(fd);
        unlink(beside);
        unfinished_end(beside);
        return false;
    }
    bool ok = profile_print(profile, out);
    int cause = errno;
    if (fclose(out) != 0 && ok) {
        ok = false;
        cause = errno;
    }
    if (ok && rename(beside, path) != 0) {
        ok = false;
        cause = errno;
    }
    if (!ok)
        unlink(beside);
    unfinished_end(beside);
    errno = cause;
    return ok;
}

/* What is no plain file (/dev/stdout, a pipe) is written to as it is. */
static bool profile_put(const struct synth_profile *profile, const char *path)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return profile_print(profile, stdout);
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return profile_replace(profile, path);
    FILE *out = fopen(path, "we");
    bool ok = out != NULL && profile_print(profile, out);
    return (out == NULL || fclose(out) == 0) && ok;
}

bool synth_profile_write(const struct synth_profile *profile, const char *path,
                         char error[TRACE_ERROR_MAX])
{
    if (profile_put(profile, path))
        return true;
    const char *name = strcmp(path, "-") == 0 ? "standard output" : path;
    snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", name, strerror(errno));
    return false;
}

bool synth_profile_is(const char *path)
{
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return false;
    int byte;
    do
        byte = getc(in);
    while (byte != EOF && isspace(byte));
    fclose(in);
    return byte == '{';
}

/* A file that is being read. */
struct json {
    FILE *in;
    uint64_t line;
    int next;          /* the byte that was looked at; EOF */
    const char *fault; /* NULL: none yet */
};

static void json_advance(struct json *json)
{
    json->line += json->next == '\n';
    json->next = getc(json->in);
}

static void json_skip(struct json *json)
{
    while (json->next == ' ' || json->next == '\t' || json->next == '\r' || json->next == '\n')
        json_advance(json);
}

static bool json_fail(struct json *json, const char *fault)
{
    if (json->fault == NULL)
        json->fault = fault;
    return false;
}

/* Takes this byte, behind white space. */
static bool json_take(struct json *json, int byte)
{
    json_skip(json);
    if (json->next != byte)
        return false;
    json_advance(json);
    return true;
}

static bool json_number_take(struct json *json, uint64_t *value)
{
    json_skip(json);
    if (json->next < '0' || json->next > '9')
        return json_fail(json, "a whole number is missing");
    *value = 0;
    for (; json->next >= '0' && json->next <= '9'; json_advance(json)) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(json->next - '0'), value))
            return json_fail(json, "a number is too large");
    }
    return true;
}

static bool json_name_take(struct json *json, char name[NAME_MAX_BYTES])
{
    size_t n = 0;
    if (!json_take(json, '"'))
        return json_fail(json, "a name in quotes is missing");
    for (; json->next != '"'; json_advance(json)) {
        if (json->next < ' ' || json->next == '\\' || n == NAME_MAX_BYTES - 1)
            return json_fail(json, "no name of a profile's");
        name[n++] = (char)json->next;
    }
    name[n] = '\0';
    json_advance(json);
    return json_take(json, ':') || json_fail(json, "a colon is missing");
}

static bool row_take(struct json *json, struct synth_profile *profile, enum synth_table table)
{
    uint64_t row[SYNTH_COLUMNS_MAX];
    unsigned columns = synth_shapes[table].columns;
    if (!json_take(json, '['))
        return json_fail(json, "a row is missing");
    for (unsigned c = 0; c < columns; c++) {
        if (!json_number_take(json, &row[c]))
            return false;
        if (!json_take(json, c + 1 < columns ? ',' : ']'))
            return json_fail(json, "a row has not as many numbers as it should");
    }
    if (synth_count(profile, table) == ROWS_MAX)
        return json_fail(json, "too many rows");
    return synth_add(profile, table, row) || json_fail(json, strerror(errno));
}

static bool table_take(struct json *json, struct synth_profile *profile, const char *name)
{
    int table = 0;
    while (table < SYNTH_TABLES && strcmp(synth_shapes[table].name, name) != 0)
        table++;
    if (table == SYNTH_TABLES)
        return json_fail(json, "a name that no profile has");
    if (synth_count(profile, table) > 0)
        return json_fail(json, "a table comes twice");
    if (!json_take(json, '['))
        return json_fail(json, "an array is missing");
    if (json_take(json, ']'))
        return true;
    do {
        if (!row_take(json, profile, table))
            return false;
    } while (json_take(json, ','));
    return json_take(json, ']') || json_fail(json, "an array does not end");
}

static bool object_take(struct json *json, struct synth_profile *profile)
{
    char name[NAME_MAX_BYTES];
    uint64_t format;
    if (!json_take(json, '{') || !json_name_take(json, name) || strcmp(name, FORMAT_NAME) != 0)
        return json_fail(json, "does not begin as a profile does");
    if (!json_number_take(json, &format) || format != FORMAT)
        return json_fail(json, "a profile of another version");
    while (json_take(json, ',')) {
        if (!json_name_take(json, name) || !table_take(json, profile, name))
            return false;
    }
    if (!json_take(json, '}'))
        return json_fail(json, "the object does not end");
    json_skip(json);
    return json->next == EOF || json_fail(json, "something follows the object");
}

bool synth_profile_read(struct synth_profile *profile, const char *path,
                        char error[TRACE_ERROR_MAX])
{
    struct json json = {.in = fopen(path, "re"), .line = 1, .next = ' '};
    if (json.in == NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, strerror(errno));
        return false;
    }
    bool ok = object_take(&json, profile);
    if (ferror(json.in))
        json.fault = strerror(errno);
    fclose(json.in);
    if (!ok || json.fault != NULL) {
        snprintf(error, TRACE_ERROR_MAX, "%.400s: line %" PRIu64 ": %s", path, json.line,
                 json.fault);
        return false;
    }
    const char *fault = synth_profile_fault(profile);
    if (fault != NULL)
        snprintf(error, TRACE_ERROR_MAX, "%.400s: %s", path, fault);
    return fault == NULL;
}
