/*
 * What the heaps hold, written for people and programs: malloc_stats and malloc_info, in the forms
 * that glibc gave them. No heap is locked while something is written, for that may allocate.
 */
#include "kernel.h"
#include "libspan.h"
#include "statistics.h"
#include "trim.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { TEXT_MAX = 256 };

static void write_sizes(FILE *stream, const struct statistics *statistics)
{
    fputs("<sizes>\n", stream);
    for (unsigned i = 1; i < STATISTICS_CLASSES; i++) {
        const struct tally *tally = &statistics->free_of_class[i];
        if (tally->count)
            fprintf(stream, "  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%zu\"/>\n",
                    ((size_t)1 << (i - 1)) + 1, (size_t)1 << i, tally->bytes, tally->count);
    }
    fputs("</sizes>\n", stream);
}

static void write_total(FILE *stream, const char *type, size_t count, size_t bytes)
{
    fprintf(stream, "<total type=\"%s\" count=\"%zu\" size=\"%zu\"/>\n", type, count, bytes);
}

static void write_system(FILE *stream, size_t bytes)
{
    fprintf(stream, "<system type=\"current\" size=\"%zu\"/>\n", bytes);
    fprintf(stream, "<aspace type=\"total\" size=\"%zu\"/>\n", bytes);
}

static void write_free(FILE *stream, const struct statistics *statistics)
{
    write_total(stream, "fast", statistics->cached.count, statistics->cached.bytes);
    write_total(stream, "rest", statistics->free.count + statistics->empty.count,
                statistics->free.bytes + statistics->empty.bytes);
}

int span_malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    struct statistics sum = {0};
    arenas_settle();
    fputs("<malloc version=\"1\">\n", stream);
    for (int i = 0; i < BUILD_ARENAS; i++) {
        struct statistics statistics;
        statistics_of_arena(i, &statistics);
        statistics_add(&sum, &statistics);
        if (statistics.spans.count == 0)
            continue;
        fprintf(stream, "<heap nr=\"%d\">\n", i);
        write_sizes(stream, &statistics);
        write_free(stream, &statistics);
        write_system(stream, statistics_shared(&statistics));
        fputs("</heap>\n", stream);
    }
    write_free(stream, &sum);
    write_total(stream, "mmap", sum.dedicated.count, sum.dedicated.bytes);
    write_system(stream, statistics_shared(&sum));
    fputs("</malloc>\n", stream);
    return 0;
}

/* Past stdio: a program asks for this when little can be trusted. */
static void tell(const char *text, int bytes)
{
    kernel_call(SYS_write, STDERR_FILENO, (long)text, bytes, 0, 0, 0);
}

static void tell_use(const char *what, size_t mapped, size_t used)
{
    char text[TEXT_MAX];
    tell(text,
         snprintf(text, sizeof text, "%s:\nsystem bytes     = %10zu\nin use bytes     = %10zu\n",
                  what, mapped, used));
}

void span_malloc_stats(void)
{
    struct statistics sum = {0};
    char text[TEXT_MAX];
    arenas_settle();
    for (int i = 0; i < BUILD_ARENAS; i++) {
        struct statistics statistics;
        statistics_of_arena(i, &statistics);
        statistics_add(&sum, &statistics);
        size_t arena = statistics_shared(&statistics);
        snprintf(text, sizeof text, "Arena %d", i);
        if (statistics.spans.count)
            tell_use(text, arena, arena - statistics_unused(&statistics));
    }
    tell_use("Total (incl. mmap)", sum.spans.bytes, sum.spans.bytes - statistics_unused(&sum));
    tell(text, snprintf(text, sizeof text, "mmap regions     = %10zu\nmmap bytes       = %10zu\n",
                        sum.dedicated.count, sum.dedicated.bytes));
}
