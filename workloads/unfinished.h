/*
 * Files that have another name until they are complete, and go with the process where a signal ends
 * it before that.
 */
#ifndef WORKLOADS_UNFINISHED_H
#define WORKLOADS_UNFINISHED_H

/* The path is the caller's and stays as it is until unfinished_end. */
void unfinished_begin(const char *path);
/* The file has its final name, or is gone. */
void unfinished_end(const char *path);

/* For main: a signal that ends the process takes the files along, and a limit on their size is an
 * error of write(2). */
void unfinished_watch(void);

#endif
