/* The functions of malloc's family that the program would have called: the next allocator's. */
#ifndef WORKLOADS_RECORDER_REAL_H
#define WORKLOADS_RECORDER_REAL_H

#include <stddef.h>

/* `malloc` is set last: while it is NULL, so may be the others. */
extern struct recorder_real {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void *(*reallocarray)(void *, size_t, size_t);
} real __attribute__((visibility("hidden")));

/* Finds them. In any thread, and more than once: each finds the same. */
void real_find(void);

#endif
