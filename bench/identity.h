/*
 * Whose malloc is it? Names the object file that a function of this process comes from, by path,
 * device, inode and build-id, and compares it with the file that was asked for. A measurement
 * counts only once this has been proved. Nothing in here calls malloc.
 */
#ifndef BENCH_IDENTITY_H
#define BENCH_IDENTITY_H

#include "json_text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    IDENTITY_BUILD_ID_MAX = 64, /* bytes; GNU ld writes 20 */
    IDENTITY_ERROR_MAX = 2 * PATH_MAX + 256
};

/* An object file. */
struct identity {
    uint64_t device;
    uint64_t inode;
    char path[PATH_MAX];
    char build_id[2 * IDENTITY_BUILD_ID_MAX + 1]; /* hex digits; "" where the file has none */
};

/*
 * The loaded object that `address` lies in. Its build-id is read from memory, device and inode
 * from the file now at its path. false if no object has the address or its file is gone.
 */
bool identity_of_address(const void *address, struct identity *identity);
/* The file at `path`. false, with "PATH: what" in error, if it cannot be read or is no ELF file. */
bool identity_of_file(const char *path, struct identity *identity, char error[IDENTITY_ERROR_MAX]);
/* The same file, and the same build-id where both have one. */
bool identity_is_same(const struct identity *a, const struct identity *b);

/*
 * Proves that malloc, free, calloc, realloc, aligned_alloc and posix_memalign of this process all
 * come from `wanted`. false: "FUNCTION comes from X, not from Y" in error.
 */
bool identity_prove(const struct identity *wanted, char error[IDENTITY_ERROR_MAX]);
/* The same for one function, which the caller names. */
bool identity_prove_function(const struct identity *wanted, const char *name, const void *function,
                             char error[IDENTITY_ERROR_MAX]);

/* Appends {"path", "device", "inode", "build_id"}. */
void identity_print(const struct identity *identity, struct json_text *text);

#endif
