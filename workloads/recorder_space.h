/*
 * The units of this image's raw file as they are claimed and mapped. The file is mapped once, while
 * there is a descriptor; from then on each mapping is made from the one before:
 *
 *            segment 0       segment 1
 *   | header | ... | unit | anchor |
 *                         | unit   | ... | unit | anchor |
 *
 * A segment ends at a multiple of 2 MiB of the file and has so many bytes, the first one a unit
 * less: where the system has huge pages for files, one may serve it. The anchor is the unit behind
 * a segment, mapped with it. mremap with an old size of 0 maps the same shared pages again, and
 * whatever follows them in the file: the next segment. A segment is unmapped as a whole once all
 * its units were claimed and given up, and the next one exists.
 *
 * Any thread may call these at any time. None waits for another: units and segments are claimed by
 * atomic steps, which an observer may find done in part and completes.
 */
#ifndef WORKLOADS_RECORDER_SPACE_H
#define WORKLOADS_RECORDER_SPACE_H

#include "raw.h"

#include <stdbool.h>

/* The kernel need not read what lies beside a page of a mapping of the file that is touched:
   hundreds of pages of zeros, while most programs fill a few. Mappings made of this one inherit it.
 */
void space_read_no_further(void *start, uint64_t bytes);

/*
 * Maps the first segment of file `fd`, behind unit 0. The file has `file_bytes`, a multiple of
 * RAW_UNIT, and two of them at least. `huge`: huge pages are welcome. Returns 0 or a negative
 * errno.
 */
int space_begin(int fd, uint64_t file_bytes, bool huge);

/* In a child after fork: what is mapped is the parent's file, to be unmapped or left alone. No
   other thread may be here. */
void space_forget(bool unmap);

/*
 * Claims a unit: stores its address, and its end in the file. Returns 0 or a negative errno. The
 * unit is a hole: it must be given blocks before it is touched.
 */
int space_claim(struct raw_window **window, uint64_t *end);

/* Units that a thread has claimed before it needs them. All zero: none. */
struct space_ahead {
    char *next;
    uint64_t offset; /* in the file */
    uint32_t units;
};

/* The same for a thread that will fill many units: it claims a segment, which may be a huge page,
   and takes them from there. */
int space_claim_ahead(struct space_ahead *ahead, struct raw_window **window, uint64_t *end);
void space_give_up_ahead(struct space_ahead *ahead);

/* Ends the use of a claimed unit, which goes out of the process's memory: at once, or with its
   segment. */
void space_give_up(struct raw_window *window);

/*
 * Gives bytes `from` to `to` of a mapping of the file their blocks on the disk, so that touching
 * them cannot raise SIGBUS. `start` is where a page begins; what lies before `from` was given
 * blocks before. Returns 0 or a negative errno: ENOSPC for a disk or quota that is full.
 */
int space_reserve(void *start, uint64_t from, uint64_t to);

#endif
