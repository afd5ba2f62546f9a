/*
 * The processes that a command leaves behind or runs beside itself: what their memory comes to,
 * and their end. All that descends from the calling process is meant, whatever session or group it
 * has put itself into. For a process of one thread that blocks SIGCHLD.
 */
#ifndef BENCH_PROCESS_TREE_H
#define BENCH_PROCESS_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_NAME_MAX = 16 }; /* bytes of /proc/PID/comm, the zero included */

/* The most that was seen of the tree at once. All zero at first. */
struct process_tree {
    uint64_t pss;       /* bytes; 0 while never more than one process was seen */
    unsigned processes; /* most at once; may be 0 */
    uint64_t interval_ns;
    uint64_t next_ns; /* CLOCK_MONOTONIC: when to sample again */
};

/* From now on, processes whose parent has ended become our children. */
void process_tree_adopt(void);

/*
 * Looks at all descendants, at the moment `now_ns`. Where there are several, their proportional set
 * sizes are summed: a page that n processes share counts n times an n-th. Sets next_ns so that
 * looking takes no more than a fiftieth of the time. What may not be looked at counts nothing.
 */
void process_tree_sample(struct process_tree *tree, uint64_t now_ns);

/*
 * Ends all descendants, those that end by themselves within `grace_ns` excepted, and waits for
 * them. Returns how many had to be ended, the first one's name in name.
 */
unsigned process_tree_end(uint64_t grace_ns, char name[PROCESS_NAME_MAX]);

#endif
