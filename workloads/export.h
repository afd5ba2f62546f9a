/*
 * Exporters: traces, written as other tools' files. One file an exporter (export_FORMAT.c), one row
 * a format in the table of export_main.c. What an exporter cannot say is told in the closing line.
 */
#ifndef WORKLOADS_EXPORT_H
#define WORKLOADS_EXPORT_H

#include "trace.h"

#include <stdio.h>

/* A trace being exported. */
struct export
{
    const char *path;
    struct trace_reader *reader; /* at the operation to come */
    struct trace_totals totals;
    FILE *out; /* an exporter may seek in it: it is a file, and empty */
    /* Operations of the block being read. */
    struct trace_op *ops;
    size_t n, at;
    char error[TRACE_ERROR_MAX]; /* "PATH: what"; empty: nothing went wrong but perhaps `out` */
    int write_errno;             /* why the file could not be written, not 0 only then */
    char losses[512];            /* "; what" for each thing lost */
};

/* A format that can be exported. */
struct export_format {
    const char *name;    /* of --to */
    const char *summary; /* what such files are, in a few words */
    unsigned columns;    /* enum trace_column, or-ed: those that they can tell */
    /* Writes all of the trace. false: export->error tells. */
    bool (*write)(struct export *export);
};

extern const struct export_format export_csv, export_heaptrack, export_memory_replay, export_rep,
    export_wl;

/* Opens the trace at export->path. false: export->error tells. */
bool export_open(struct export *export);
/* The next operation, or NULL: the end, or an error if export->error is not empty. */
const struct trace_op *export_next(struct export *export);
/* Back to the first operation of the same trace. false: export->error tells. */
bool export_rewind(struct export *export);
/* errno as the error; returns false. */
bool export_fail_errno(struct export *export);
/* Notes what is lost of so many of a noun ("call", without its s); nothing if there are none. */
void export_lose(struct export *export, uint64_t count, const char *noun, const char *what);
/* The same of the trace's time. */
void export_lose_time(struct export *export);
/* Calls of the aligned family, all its kinds. */
uint64_t export_aligned_calls(const struct export *export);

/* `trace export --to FORMAT FILE -o OUT`; OUT may be "-". Exit statuses 0, 1 and 2. */
int export_main(int argc, char **argv);

#endif
