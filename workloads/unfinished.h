/*
 * Files that have another name until they are complete, and go with the process where a signal ends
 * it before that.
 */
#ifndef WORKLOADS_UNFINISHED_H
#define WORKLOADS_UNFINISHED_H

/*
 * Creates the file, which must not be there yet, open as `flags` say (O_WRONLY or O_RDWR). Returns
 * its descriptor, or -1 and errno. No signal comes between the file and its being known here. The
 * path is the caller's and stays as it is until unfinished_end.
 */
int unfinished_open(const char *path, int flags);
/* The file has its final name, or is gone. */
void unfinished_end(const char *path);

/* For main: a signal that ends the process takes the files along, and a limit on their size is an
 * error of write(2). */
void unfinished_watch(void);

#endif
