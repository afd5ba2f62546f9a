/*
 * Importers: other tools' files of malloc calls, turned into traces. Every importer streams and
 * reports errors as "PATH: line N: what". One file an importer (import_FORMAT.c), one row a format
 * in the table of import.c.
 */
#ifndef WORKLOADS_IMPORT_H
#define WORKLOADS_IMPORT_H

#include "builder.h"

#include <stdio.h>

/* The lines of a text, one at a time. */
struct import_lines {
    FILE *in;
    uint64_t number; /* of the line in text, from 1 */
    char text[4096]; /* without its end, be it LF or CRLF; longer lines are errors */
};

/* What an importer says besides the calls. */
struct import_notes {
    char losses[1024];           /* "key=value" lines: what the file could not say */
    char error[TRACE_ERROR_MAX]; /* "line N: what" */
};

/* A format that can be imported. */
struct import_format {
    const char *name;    /* of --from */
    const char *summary; /* what such files are, one line */
    /* Whether a file that begins with these bytes looks like this format. */
    bool (*sniff)(const char *head, size_t bytes);
    /* Reads all of `in` into builder. false: notes->error or builder_error tells. */
    bool (*read)(FILE *in, struct builder *builder, struct import_notes *notes);
};

extern const struct import_format import_memory_replay;

/* Reads the next line. false: the end, or an error if notes->error is not empty. */
bool import_line(struct import_lines *lines, struct import_notes *notes);
/* Writes "line N: what" into notes->error; returns false. */
bool import_fail(const struct import_lines *lines, struct import_notes *notes, const char *what);

/* `trace import [--from FORMAT] IN -o FILE`; IN may be "-". Exit statuses 0, 1 and 2. */
int import_main(int argc, char **argv);

#endif
