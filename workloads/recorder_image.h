/*
 * This process image as the recorder sees it: whether it is recorded, its raw file's header, and
 * what happens to both when the process forks. Windows and records: recorder_window.h.
 */
#ifndef WORKLOADS_RECORDER_IMAGE_H
#define WORKLOADS_RECORDER_IMAGE_H

#include "raw.h"

#include <stdbool.h>

/*
 * Points to a word that is 1 while this process is known to be recorded. It is 0 before the first
 * call, where nothing is recorded, and (the kernel wipes it) in a child just forked. Hidden, since
 * each call reads it: so its address is not looked up in a table first.
 */
extern const volatile uint64_t *image_live __attribute__((visibility("hidden")));

/* Frames that a call site is made of where those are asked for: 1 up to RAW_DEPTH_MAX. Known once
   the image is recorded. */
extern unsigned image_site_depth __attribute__((visibility("hidden")));

/*
 * To be called when *image_live is 0. Finds out why, and sets up what is missing. Returns whether
 * the calling process is recorded. In a child that begins to be, it calls `forget` first: what the
 * parent's threads had is gone, and no other thread is recorded yet.
 */
bool image_attend(void (*forget)(void));

/* Rises when no stamp taken before may serve any longer: another thread's calls, or a module of
   call sites, follow. */
extern uint32_t image_stamp_epoch __attribute__((visibility("hidden")));
static inline void image_stamps_end(void)
{
    __atomic_fetch_add(&image_stamp_epoch, 1, __ATOMIC_RELAXED);
}

/* From the library's constructor: what may call functions of libc, which others may stand before.
 */
void image_prepare(void);

/* Whether the calling process is recorded now; for those who would not begin to. */
bool image_is_recorded(void);

/* Whether images are to be recorded that process `pid` turns into, or that it starts. It may be the
   child of a vfork, in this image's memory. */
bool image_follows(uint32_t pid);
bool image_follows_children(void);
/* The namespace of such a process. */
uint64_t image_pid_namespace(uint32_t pid);

/* This image comes to an orderly end. Makes no system call: a filter may forbid any. */
void image_ends(void);

/*
 * Stores the header of the raw file, which is created at the first call. Returns 0 or a negative
 * errno. All signals must be blocked.
 */
int image_header(struct raw_header **header);

/* Counts one call that was not recorded; errno says why, 0 for a signal handler's. */
void image_lose(int error);

/* Renews the header's second pair of stamp and time, if there is a header. */
void image_renew_clock(void);

/* In a child that libc forked, for kernels that do not wipe the word. */
void image_forked(void);

#endif
