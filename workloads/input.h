/*
 * The bytes of a file made by another tool: from a path or standard input, unpacked if they are a
 * .gz, a .zst or the one member of a .zip. Knows nothing of what the bytes mean.
 */
#ifndef WORKLOADS_INPUT_H
#define WORKLOADS_INPUT_H

#include "trace.h"

#include <sys/types.h>

struct input;

/* "-" is standard input. NULL on failure, with "PATH: what" in error. */
struct input *input_open(const char *path, char error[TRACE_ERROR_MAX]);
/* The next bytes, at most n; 0 at the end; -1: input_fault tells. */
ssize_t input_read(struct input *input, void *bytes, size_t n);
/* What is wrong with the input, without its path: "damaged .gz", "Input/output error". */
const char *input_fault(const struct input *input);
/* The first bytes, unpacked, up to 64 KiB and a zero behind them; they are still to be read. Sets
 *n. Valid until the input is closed. */
const char *input_head(const struct input *input, size_t *n);
/*
 * A descriptor of a file that holds all that is unpacked, from offset 0, and the file's length in
 * *bytes; for formats that point to places in themselves. A copy without a name, where the input is
 * no such file, and then of `most` bytes or a little more. The input owns it. Call this before
 * anything is read. -1: input_fault tells.
 */
int input_seekable(struct input *input, uint64_t most, uint64_t *bytes);
void input_close(struct input *input);

#endif
