/*
 * Work that needs a descriptor, in a process that has several threads already. Another thread may
 * close, reuse or pass on any number of the table that all threads share, so the work is done by a
 * short-lived thread with a table of its own. It is a thread of the process, not a child: nobody
 * can wait for it but us.
 */
#ifndef WORKLOADS_RECORDER_HELPER_H
#define WORKLOADS_RECORDER_HELPER_H

/*
 * Runs work(argument) in such a thread and waits for it. All signals must be blocked, and `work`
 * must get along without thread-local data of its own, errno included. Returns 0, or a negative
 * errno if the system refuses the thread (a limit on processes, a filter) and nothing was done.
 */
int helper_run(void (*work)(void *), void *argument);

#endif
