/*
 * The table of call sites as it stands in a trace file, between the last block and the trailer. The
 * bytes are described in docs/trace-format.md.
 */
#ifndef WORKLOADS_SITES_FILE_H
#define WORKLOADS_SITES_FILE_H

#include "sites.h"

enum {
    SITES_FILE_HEADER = 20,
    SITES_FILE_RAW_MAX = 24 << 20, /* more than the longest table that sites.h allows */
    SITES_FILE_LEAST = SITES_FILE_HEADER + 8,
    SITES_FILE_MOST = SITES_FILE_HEADER + SITES_FILE_RAW_MAX + 8,
};

/* The part of the file, packed and under its checksum, in a mapping of *mapped bytes; NULL and
   errno on failure. */
unsigned char *sites_file_build(const struct sites *sites, size_t *bytes, size_t *mapped);
/* Fills an empty table from such a part. NULL, or what is wrong; the table is to be closed then,
   too. */
const char *sites_file_take(struct sites *sites, const unsigned char *part, size_t bytes);

#endif
