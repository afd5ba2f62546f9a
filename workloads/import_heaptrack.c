/*
 * heaptrack's files, unpacked: a record a line, its first character is the kind, numbers are
 * hexadecimal. Raw ones name blocks by address. Interpreted ones name only the class of a block
 * (its size and call stack), so a free releases the oldest block of its class. Call stacks and
 * symbols are skipped.
 */
#include "import.h"

#include "pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CLASSES_MAX = 1 << 24, /* arbitrary: bounds the memory to 384 MiB */
    CLASS_SHIFT = 40,
    BLOCK_SHIFT = 5,  /* the builder expects keys as far apart as addresses of blocks are */
    POINTS_MAX = 512, /* of the series that is kept */
    VERSION_MAX = 3,
    PAGE_BYTES = 4096, /* where a file does not tell */
};
#define CLASS_BLOCKS_MAX (UINT64_C(1) << (CLASS_SHIFT - BLOCK_SHIFT))

/* Blocks of one size from one place in the program. */
struct class
{
    uint64_t size;
    uint64_t made, freed; /* blocks so far; the oldest is number `freed` */
};

/* The resident set of the recorded program at a time. */
struct point {
    uint64_t time_ms, bytes;
};

/* What is known of a file so far. */
struct heaptrack {
    struct import *import;
    uint64_t time_ms;
    uint64_t page_bytes;
    struct class *classes; /* none: the file is raw, or has not come to them */
    size_t classes_used, classes_capacity;
    bool attached;
    uint64_t peak_rss;
    uint64_t points_seen, points_step; /* each points_step-th is kept */
    size_t points_used;
    struct point points[POINTS_MAX];
};

/* Up to n numbers behind the kind; how many there are, or -1 if something else is there. */
static int numbers_take(const struct lines *lines, uint64_t *numbers, int n)
{
    const char *at = lines->text + 1;
    if (lines->cut)
        return -1;
    for (int i = 0; i < n; i++) {
        if (scan_end(lines, at))
            return i;
        if (!scan_char(&at, ' ') || !scan_hex(&at, &numbers[i]))
            return -1;
    }
    return scan_end(lines, at) ? n : -1;
}

static bool version_check(struct heaptrack *heaptrack)
{
    uint64_t version[2] = {0};
    int n = numbers_take(&heaptrack->import->lines, version, 2);
    if (n < 1)
        return import_fail(heaptrack->import, "want the version of the file");
    if (version[1] > VERSION_MAX)
        return import_fail(heaptrack->import, "a newer version of the format than is known");
    return true;
}

static bool class_add(struct heaptrack *heaptrack)
{
    uint64_t numbers[2];
    void *p = heaptrack->classes;
    if (numbers_take(&heaptrack->import->lines, numbers, 2) != 2)
        return import_fail(heaptrack->import, "want a size and a trace");
    if (heaptrack->classes_used == CLASSES_MAX)
        return import_fail(heaptrack->import, "too many allocation classes");
    if (!pages_reserve(&p, &heaptrack->classes_capacity, sizeof *heaptrack->classes,
                       heaptrack->classes_used + 1))
        return import_fail(heaptrack->import, strerror(errno));
    heaptrack->classes = p;
    heaptrack->classes[heaptrack->classes_used++] = (struct class){.size = numbers[0]};
    return true;
}

/* The class's block of this number goes by a key of its own. */
static uint64_t block_key(uint64_t class, uint64_t number)
{
    return class << CLASS_SHIFT | (number + 1) << BLOCK_SHIFT;
}

static bool block_make(struct heaptrack *heaptrack, struct call *call)
{
    uint64_t numbers[3];
    int n = numbers_take(&heaptrack->import->lines, numbers, 3);
    call->kind = TRACE_MALLOC;
    if (heaptrack->classes_used == 0) {
        if (n != 3)
            return import_fail(heaptrack->import, "want a size, a trace and an address");
        call->size = numbers[0];
        call->result = numbers[2];
        return import_call(heaptrack->import, call);
    }
    if (n != 1 || numbers[0] >= heaptrack->classes_used)
        return import_fail(heaptrack->import, "want the number of an allocation class");
    struct class *class = &heaptrack->classes[numbers[0]];
    if (class->made + 1 == CLASS_BLOCKS_MAX)
        return import_fail(heaptrack->import, "too many blocks of one class");
    call->size = class->size;
    call->result = block_key(numbers[0], class->made++);
    return import_call(heaptrack->import, call);
}

static bool block_free(struct heaptrack *heaptrack, struct call *call)
{
    uint64_t number;
    call->kind = TRACE_FREE;
    if (numbers_take(&heaptrack->import->lines, &number, 1) != 1)
        return import_fail(heaptrack->import, "want an address or an allocation class");
    call->old = number;
    if (heaptrack->classes_used > 0) {
        if (number >= heaptrack->classes_used)
            return import_fail(heaptrack->import, "want the number of an allocation class");
        struct class *class = &heaptrack->classes[number];
        call->old = block_key(number, class->freed);
        class->freed += class->freed < class->made;
    }
    return import_call(heaptrack->import, call);
}

static bool clock_set(struct heaptrack *heaptrack)
{
    uint64_t time_ms;
    if (numbers_take(&heaptrack->import->lines, &time_ms, 1) != 1)
        return import_fail(heaptrack->import, "want a time in milliseconds");
    if (time_ms > UINT64_MAX / 1000000)
        return import_fail(heaptrack->import, "a time that cannot be");
    heaptrack->time_ms = time_ms;
    return true;
}

/* When all points are used up every other one goes, and half as many come. */
static void point_keep(struct heaptrack *heaptrack, struct point point)
{
    if (heaptrack->points_seen++ % heaptrack->points_step != 0)
        return;
    if (heaptrack->points_used == POINTS_MAX) {
        for (size_t i = 0; i < POINTS_MAX / 2; i++)
            heaptrack->points[i] = heaptrack->points[2 * i];
        heaptrack->points_used = POINTS_MAX / 2;
        heaptrack->points_step *= 2;
    }
    heaptrack->points[heaptrack->points_used++] = point;
}

static bool rss_add(struct heaptrack *heaptrack)
{
    uint64_t pages;
    struct point point = {.time_ms = heaptrack->time_ms};
    if (numbers_take(&heaptrack->import->lines, &pages, 1) != 1)
        return import_fail(heaptrack->import, "want a number of pages");
    if (__builtin_mul_overflow(pages, heaptrack->page_bytes, &point.bytes))
        return import_fail(heaptrack->import, "more memory than there can be");
    if (point.bytes > heaptrack->peak_rss)
        heaptrack->peak_rss = point.bytes;
    point_keep(heaptrack, point);
    return true;
}

static bool system_set(struct heaptrack *heaptrack)
{
    uint64_t numbers[2];
    if (numbers_take(&heaptrack->import->lines, numbers, 2) < 1 || numbers[0] == 0)
        return import_fail(heaptrack->import, "want the size of a page");
    heaptrack->page_bytes = numbers[0];
    return true;
}

/* Kinds that say nothing of calls are skipped, those of newer versions among them. */
static bool record_add(struct heaptrack *heaptrack)
{
    struct import *import = heaptrack->import;
    struct call call = {.time_ns = heaptrack->time_ms * 1000000};
    char kind = *import->lines.text;
    switch (kind) {
    case '+':
        return block_make(heaptrack, &call);
    case '-':
        return block_free(heaptrack, &call);
    case 'a':
        return class_add(heaptrack);
    case 'c':
        return clock_set(heaptrack);
    case 'R':
        return rss_add(heaptrack);
    case 'v':
        return version_check(heaptrack);
    case 'I':
        return system_set(heaptrack);
    case 'A':
        heaptrack->attached = true;
        return true;
    case '#':
    case '\0':
        return kind == '#' || import->lines.text == import->lines.end ||
               import_fail(import, "unknown record");
    default:
        break;
    }
    bool letter = ((kind | 32) >= 'a' && (kind | 32) <= 'z') &&
                  (import->lines.text[1] == ' ' || import->lines.end == import->lines.text + 1);
    return letter || import_fail(import, "unknown record");
}

/* "MS:BYTES MS:BYTES ..." */
static void rss_note(const struct heaptrack *heaptrack)
{
    char series[POINTS_MAX * 24];
    size_t at = 0;
    for (size_t i = 0; i < heaptrack->points_used && at < sizeof series - 48; i++)
        at += (size_t)sprintf(series + at, "%s%" PRIu64 ":%" PRIu64, i ? " " : "",
                              heaptrack->points[i].time_ms, heaptrack->points[i].bytes);
    if (at == 0)
        return;
    import_lose(heaptrack->import, "recorded_peak_rss", "%" PRIu64, heaptrack->peak_rss);
    import_keep(heaptrack->import, "recorded_rss", series);
}

static void losses_note(const struct heaptrack *heaptrack)
{
    struct import *import = heaptrack->import;
    import_lose(import, "lost_threads", "the format has no threads");
    import_lose(import, "lost_alignment", "no calloc, no alignment");
    import_lose(import, "lost_realloc", "a realloc is a free and an allocation");
    if (heaptrack->classes_used > 0)
        import_lose(import, "lost_addresses",
                    "no addresses: a free releases the oldest block of its size and call stack");
    if (heaptrack->attached)
        import_lose(import, "lost_start", "heaptrack was attached to a running program");
    rss_note(heaptrack);
}

static bool heaptrack_read(struct import *import)
{
    static struct heaptrack heaptrack;
    heaptrack = (struct heaptrack){.import = import, .page_bytes = PAGE_BYTES, .points_step = 1};
    bool ok = true;
    import->lines.cuts = true; /* command lines may be long */
    while (ok && import_line(import))
        ok = record_add(&heaptrack);
    if (ok && import->error[0] == '\0')
        losses_note(&heaptrack);
    pages_unmap(heaptrack.classes, heaptrack.classes_capacity * sizeof *heaptrack.classes);
    return ok && import->error[0] == '\0';
}

/* "v VERSION [FORMAT]" */
static bool heaptrack_sniff(const char *head, size_t bytes)
{
    uint64_t number;
    const char *at = head;
    (void)bytes;
    while (*at == '#' || *at == '\n')
        at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n');
    if (!scan_text(&at, "v ") || !scan_hex(&at, &number))
        return false;
    if (scan_char(&at, ' ') && !scan_hex(&at, &number))
        return false;
    return *at == '\n' || *at == '\r' || *at == '\0';
}

const struct import_format import_heaptrack = {
    .name = "heaptrack",
    .summary = "a file of heaptrack, raw or interpreted",
    .sniff = heaptrack_sniff,
    .read = heaptrack_read,
};
