/*
 * Importers: other tools' files of malloc calls, turned into traces. Every importer streams and
 * reports errors as "PATH: line N: what" ("PATH: byte N: what" for those that are no text). One
 * file an importer (import_FORMAT.c), one row a format in the table of import_main.c.
 */
#ifndef WORKLOADS_IMPORT_H
#define WORKLOADS_IMPORT_H

#include "builder.h"
#include "lines.h"

enum { IMPORT_LOSSES_MAX = 16 * 1024 };

/* A file being imported. */
struct import {
    struct input *in;
    struct lines lines;
    struct builder *builder;
    char error[TRACE_ERROR_MAX];    /* "line N: what"; empty: builder_error tells */
    char losses[IMPORT_LOSSES_MAX]; /* "key=value" lines: what the file could not say */
    size_t losses_bytes;
};

/* A format that can be imported. */
struct import_format {
    const char *name;    /* of --from */
    const char *summary; /* what such files are, in a few words */
    /* Whether a file that begins with these bytes looks like this format. There is a zero behind
     * them. */
    bool (*sniff)(const char *head, size_t bytes);
    /* Which columns (enum trace_column, or-ed) a file that begins so has; NULL: none. */
    unsigned (*columns)(const char *head);
    /* Reads all of the file into the builder. false: import->error or builder_error tells. */
    bool (*read)(struct import *import);
};

extern const struct import_format import_memory_replay, import_rep, import_mtrace, import_heaptrack,
    import_valgrind, import_ltrace, import_wl;

/* All of `in` into `builder`, which stays open. false: import->error, or else builder_error, tells.
 */
bool import_read(struct import *import, const struct import_format *format, struct input *in,
                 struct builder *builder);

/* Writes "line N: what" of the line last read into import->error; returns false. */
bool import_fail(struct import *import, const char *what);
/* The same without a line: `where` and `what`. */
bool import_fail_at(struct import *import, const char *where, uint64_t number, const char *what);
/* NULL, or why a call cannot have succeeded. */
const char *import_call_fault(const struct call *call);
/* Hands a call over. false, and an error, if nothing like it can have succeeded, or the builder
 * fails. */
bool import_call(struct import *import, const struct call *call);
/* Notes what is lost, as "key=text"; the text is part of the closing line. */
__attribute__((format(printf, 3, 4))) void import_lose(struct import *import, const char *key,
                                                       const char *text, ...);
/* Notes it for the trace alone. The text is at most half of IMPORT_LOSSES_MAX. */
void import_keep(struct import *import, const char *key, const char *text);

/* Says what went wrong with the lines, if something did; returns false. */
bool import_lines_end(struct import *import);

/* The next line of a text. false: the end, or an error if import->error is not empty. */
static inline bool import_line(struct import *import)
{
    return lines_next(&import->lines) || import_lines_end(import);
}

/* `trace import [--from FORMAT] IN -o FILE`; IN may be "-". Exit statuses 0, 1 and 2. */
int import_main(int argc, char **argv);

#endif
