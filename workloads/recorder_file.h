/*
 * The recorder's access to files: the directory of a recording, and the raw file of this process
 * image in it. Files are opened for a moment and closed again, so that the program finds no
 * descriptor of ours; only where a change of root or user would shut us out, descriptors are kept.
 *
 * Nothing here locks: callers do. All functions set errno where they fail.
 */
#ifndef WORKLOADS_RECORDER_FILE_H
#define WORKLOADS_RECORDER_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* The directory of all later calls; must be absolute. */
bool file_choose_directory(const char *directory);

/* Whether process `pid` is the root of the recording: the first that asked. */
bool file_claim_root(uint32_t pid);

/*
 * Creates the raw file of `pid`, with the lowest image number that is free, and opens it. Returns
 * a descriptor to be given back to file_close, or -1.
 */
int file_create(uint32_t pid, uint32_t *image);
/* Removes the raw file that was just created. */
void file_remove(void);

/* Opens the raw file again; -1 on failure, or if it is not the file that was created. */
int file_open(void);
void file_close(int fd);

/*
 * Gives the file `bytes` of zeros at `offset`, allocated on the disk, so that writing them
 * through a mapping cannot fail. Never raises SIGXFSZ.
 */
bool file_extend(int fd, uint64_t offset, uint64_t bytes);

/* Keeps descriptors open, before the process changes its root or user. */
void file_keep(void);
/* After such a change: closes them again if they are not needed. */
void file_drop_kept(void);

/* In a child after fork: the file is the parent's. */
void file_forget(void);

#endif
