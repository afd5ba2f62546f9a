/*
 * The recorder's side of the control file (recording.h): what may be recorded, who is the root, and
 * notes about images that may not be. All of it is atomic stores to shared memory, fit for signal
 * handlers and for the child of a vfork, which runs in its parent's memory. Where there is no
 * control file everything is allowed, and nothing is noted.
 */
#ifndef WORKLOADS_RECORDER_CONTROL_H
#define WORKLOADS_RECORDER_CONTROL_H

#include "recording.h"

#include <stdbool.h>

/* Maps the control file of a directory, if there is a valid one. Once in an image, at its start. */
void control_open(const char *directory);
bool control_exists(void);
/* Whether `directory` is that of the control file, and whether it can be reached from here. */
bool control_is_in(const char *directory);
bool control_is_near(void);

/* Who the calling process is. Its start is told by a file; no other thread must meet that. */
struct recording_process control_identify(bool may_open);
/* The inode of the calling process's pid namespace, or of its children's; 0: not known. */
uint64_t control_pid_namespace(void);
uint64_t control_pid_namespace_of_children(void);

bool control_is_root(const struct recording_process *process);
enum recording_phase control_phase(void);

/* Whether raw files may take no more than so much of the disk. */
bool control_is_limited(void);
/* Counts bytes that a raw file is about to grow by. false: they would be too many. */
bool control_claim(uint64_t bytes);
void control_give_back(uint64_t bytes);

/* Notes that must outlive this image; NULL: there was no room. */
struct recording_note *control_note(enum recording_note_state state, uint32_t pid,
                                    uint64_t pid_namespace, uint32_t obstacles, const char *path);
void control_remove_note(struct recording_note *note);

/* posix_spawn has returned: the note of kind NOTE_SPAWN is about process `pid`. */
void control_spawned(struct recording_note *note, uint32_t pid);

/* An image has started and is recorded, so what was noted about it is settled. */
void control_image_starts(const struct recording_process *process, uint32_t parent, bool is_root);

/* About the root's present image. */
void control_root_has_file(uint32_t number);
void control_root_lacks_file(uint32_t error);
void control_root_ends(void);

/* The path of the program of the present image; empty if /proc is not there. */
void control_program(char path[RECORDING_PATH_BYTES]);

#endif
