/*
 * The control file of a recording, DIR/control: what spanbench tells the recorder of every process
 * image while they run, and what they tell it. It is what outlives the images: a process that is
 * not recorded leaves no raw file, but the one that started it leaves a note here.
 *
 * spanbench makes it before it starts the program, whole and with its place on the disk reserved;
 * each image maps it shared when it starts. Without it (librecord.so used by hand) images are
 * recorded without limits, and nobody learns which were not. Private to these two, like raw.h; the
 * other side is scripts/frontend/recording/control.py.
 */
#ifndef WORKLOADS_RECORDING_H
#define WORKLOADS_RECORDING_H

#include <stdint.h>

enum {
    RECORDING_VERSION = 1,
    RECORDING_NOTES_AT = 4096,  /* file offset of the notes */
    RECORDING_NOTES_MAX = 1024, /* images that vanished, about; arbitrary */
    RECORDING_PATH_BYTES = 220, /* with the NUL; longer ones are cut; makes a note 256 bytes */
    RECORDING_NAME_BYTES = 16,  /* of a thread's name, as the kernel has it */
};

#define RECORDING_MAGIC UINT64_C(0x4c544e4f43425053) /* "SPBCONTL", little endian */

/* What is recorded now. Only spanbench changes it. */
enum recording_phase {
    RECORDING_ALWAYS,  /* all calls, to the end */
    RECORDING_BEFORE,  /* nothing yet */
    RECORDING_STRETCH, /* all calls, for the present */
    RECORDING_OVER,    /* nothing any more */
};

/*
 * A process, however namespaces number it. The pid is the one that the process itself sees. Pids
 * are used again, and pid namespaces have the same ones side by side.
 */
struct recording_process {
    uint32_t pid;
    uint32_t reserved;
    uint64_t pid_namespace; /* inode of /proc/self/ns/pid; 0: not known */
    uint64_t start_ticks;   /* field 22 of /proc/self/stat; 0: not known */
};

/* The command's process, as its images tell it. */
struct recording_root {
    uint32_t images;    /* started so far */
    uint32_t file;      /* 1 + N of the last one's raw file DIR/PID-N.raw; 0: it has none */
    uint32_t has_ended; /* the last one has come to its orderly end */
    uint32_t error;     /* errno, if its raw file could not be made */
    char name[RECORDING_NAME_BYTES];    /* of its first thread, when it started */
    char program[RECORDING_PATH_BYTES]; /* /proc/self/exe */
};

enum recording_note_state {
    NOTE_FREE,
    NOTE_BEING_WRITTEN,
    NOTE_SPAWN,   /* posix_spawn by `pid` is under way: the new process is not known yet */
    NOTE_STARTED, /* an image of `pid` began before posix_spawn had returned in its parent */
    NOTE_EXEC,    /* `pid` began to execute `path`: stays if that image never tells of itself */
    NOTE_REFUSED, /* the image `path` of `pid` found no place for its raw file */
};

/* Why an image will not be recorded, as far as the image before it can see. */
enum recording_obstacle {
    OBSTACLE_NO_PRELOAD = 1,   /* its environment does not preload the recorder */
    OBSTACLE_NO_DIRECTORY = 2, /* nor name this recording */
    OBSTACLE_LIBRARY_FAR = 4,  /* librecord.so is not found under its name from here */
    OBSTACLE_FOLDER_FAR = 8,   /* the recording's folder is not found or not open to this user */
};

struct recording_note {
    uint32_t state; /* enum recording_note_state; atomic */
    uint32_t pid;   /* as in struct recording_process; 0: not known */
    uint64_t pid_namespace;
    uint64_t sequence; /* larger in later ones */
    uint32_t parent;   /* NOTE_SPAWN, NOTE_STARTED: pid of the process that spawns */
    uint32_t obstacles;
    uint32_t error; /* NOTE_REFUSED: errno */
    char path[RECORDING_PATH_BYTES];
};

struct recording_control {
    uint64_t magic;
    uint32_t version;
    uint32_t phase;         /* enum recording_phase; atomic */
    uint64_t most_bytes;    /* raw files may grow so far, all together */
    uint64_t claimed_bytes; /* atomic; they have so far */
    uint64_t sequence;      /* atomic; of the next note */
    uint64_t unnoted;       /* atomic; notes for which there was no room */
    uint32_t notes_used;    /* atomic; no note at or behind this index was ever used */
    uint32_t reserved;
    struct recording_process root_process; /* who the root is; valid before it is started */
    struct recording_root root;
};

#endif
