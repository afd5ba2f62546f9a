/*
 * The recorder's access to files: the directory of a recording, and the raw file of this process
 * image in it. Each is opened for a moment; so all of this needs a process of one thread, or a
 * table of descriptors that no other thread sees (recorder_helper.h).
 *
 * Nothing here locks: callers do. Functions that return an int return a negative errno on failure.
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
 * Creates the raw file of `pid`, with the lowest image number that is free. Returns a descriptor,
 * to be closed by the caller.
 */
int file_create(uint32_t pid, uint32_t *image);

/*
 * Makes the new file as large as it will ever be, which takes no place on the disk. Stores its
 * size, a multiple of RAW_UNIT: less where a limit on file size says so, or where the file system
 * has no holes. Never raises SIGXFSZ.
 */
int file_size(int fd, uint64_t *bytes);

/* Removes the raw file that was just created. */
void file_remove(void);

#endif
