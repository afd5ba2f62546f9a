/*
 * This process image as the recorder sees it, see recorder_image.h.
 */
#include "recorder_image.h"
#include "recorder_control.h"
#include "recorder_file.h"
#include "recorder_helper.h"
#include "recorder_space.h"
#include "recorder_sys.h"
#include "recorder_text.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* The bytes of the header that may be needed at once: where there are call sites, modules are noted
   behind it. */
#ifdef RECORD_SITES
enum { HEADER_BYTES = RAW_STEP };
#else
enum { HEADER_BYTES = sizeof(struct raw_header) };
#endif

enum image_state {
    IMAGE_UNKNOWN, /* not decided, see image_begin */
    IMAGE_OFF,     /* not recorded */
    IMAGE_ON,      /* recorded, unless *image_live says that this is a forked child */
};

/*
 * What the kernel wipes in a child: there it is not recorded yet, and nobody holds the lock. While
 * spanbench may begin or end the recording at any moment, `live` stays 0, and so each call asks.
 */
struct wiped {
    volatile uint64_t live;
    volatile uint64_t begun; /* this process has begun to be recorded, or to be ready for it */
    uint32_t lock;           /* atomic; the thread that holds it */
    uint32_t renewing;       /* atomic; a thread renews the clock */
};

static struct wiped before_begin; /* while the image is not decided */
const volatile uint64_t *image_live = &before_begin.live;
unsigned image_site_depth = 1;
uint32_t image_stamp_epoch;

static struct {
    enum image_state state;           /* atomic */
    bool children;                    /* forked processes and their images are wanted, too */
    bool is_root;                     /* the command's own process */
    struct recording_process process; /* whose memory this is; a vfork child shares it */
    uint32_t parent;
    uint64_t start_stamp;
    uint64_t start_ns;
    struct wiped *wiped;            /* atomic; a page of its own, once the image is on */
    struct raw_header *header;      /* atomic; NULL: not created yet */
    uint64_t early_lost;            /* atomic; calls lost before there was a header ... */
    int early_errno;                /* ... and why */
    struct recording_note *refusal; /* that there is none, where it is noted; under the lock */
    char libc[64];                  /* the header's line about it; empty before image_prepare */
} image = {.wiped = &before_begin};

/*
 * Held around what happens once in a process: system calls, among them. So a thread of higher
 * priority lends it to the one that it waits for, and none spins. Returns the thread that holds
 * it now; 0: it cannot be had. All signals must be blocked.
 */
static uint32_t lock_take(uint32_t *lock)
{
    uint32_t none = 0;
    uint32_t self = sys_gettid();
    if (__atomic_compare_exchange_n(lock, &none, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return self;
    long error;
    do
        error = sys_futex(lock, SYS_FUTEX_LOCK_PI, 0);
    while (error == -EINTR || error == -EAGAIN);
    return error == 0 ? self : 0;
}

static void lock_give(uint32_t *lock, uint32_t self)
{
    if (!__atomic_compare_exchange_n(lock, &self, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        sys_futex(lock, SYS_FUTEX_UNLOCK_PI, 0);
}

static struct wiped *image_wiped(void)
{
    return __atomic_load_n(&image.wiped, __ATOMIC_ACQUIRE);
}

static uint64_t clock_ns(void)
{
    struct timespec now = sys_clock(CLOCK_MONOTONIC_RAW);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void image_start(const struct recording_process *process, uint32_t parent)
{
    image.process = *process;
    image.parent = parent;
    image.start_ns = clock_ns();
    image.start_stamp = raw_stamp();
}

static void image_set_live(struct wiped *wiped)
{
    wiped->begun = 1;
    wiped->live = control_phase() == RECORDING_ALWAYS;
}

/* The page is one that the kernel wipes in a child, even if fork is not libc's. */
static bool image_make_live(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    struct wiped *wiped = sys_mmap(RAW_UNIT, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (sys_is_error((long)wiped))
        return false;
    sys_madvise(wiped, RAW_UNIT, MADV_WIPEONFORK);
    image_set_live(wiped);
    image_live = &wiped->live;
    __atomic_store_n(&image.wiped, wiped, __ATOMIC_RELEASE);
    return true;
}

/* The value of a variable of the environment; NULL: it is not set. */
static const char *environment_find(const char *name)
{
    size_t length = text_length(name);
    for (char **entry = environ; *entry != NULL; entry++) {
        size_t i = 0;
        while (i < length && (*entry)[i] == name[i])
            i++;
        if (i == length && (*entry)[i] == '=')
            return *entry + length + 1;
    }
    return NULL;
}

/* `number`: a digit; NULL: 1. */
static void site_depth_choose(const char *number)
{
    if (number != NULL && number[0] >= '1' && number[0] <= '0' + RAW_DEPTH_MAX && number[1] == '\0')
        image_site_depth = (unsigned)(number[0] - '0');
}

/* libc sets `environ` before any code of the program runs; the dynamic loader may call before. */
static enum image_state image_begin(void)
{
    if (environ == NULL)
        return IMAGE_UNKNOWN;
    const char *directory = environment_find("SPANBENCH_RECORD_DIR");
    const char *children = environment_find("SPANBENCH_RECORD_CHILDREN");
    if (directory == NULL || !file_choose_directory(directory))
        return IMAGE_OFF;
    site_depth_choose(environment_find("SPANBENCH_RECORD_SITES"));
    image.children = children == NULL || children[0] != '0' || children[1] != '\0';
    control_open(directory);
    struct recording_process process = control_identify(true);
    image.is_root = control_exists() ? control_is_root(&process) : file_claim_root(process.pid);
    if (!image.is_root && !image.children)
        return IMAGE_OFF;
    uint32_t parent = sys_getppid();
    control_image_starts(&process, parent, image.is_root);
    image_start(&process, image.is_root ? 0 : parent);
    return image_make_live() ? IMAGE_ON : IMAGE_OFF;
}

static bool image_decide(uint32_t *lock)
{
    uint32_t self = lock_take(lock);
    if (self == 0)
        return false;
    enum image_state state = __atomic_load_n(&image.state, __ATOMIC_ACQUIRE);
    if (state == IMAGE_UNKNOWN) {
        state = image_begin();
        __atomic_store_n(&image.state, state, __ATOMIC_RELEASE);
    }
    lock_give(lock, self);
    return state == IMAGE_ON;
}

/* A folder has two links and one for each folder in it: here, for each thread. */
static bool image_has_one_thread(void)
{
    struct stat status;
    return sys_stat("/proc/self/task", &status) == 0 && status.st_nlink == 3;
}

/*
 * All that is mapped is the parent's. Where the thread that forked by a raw system call left the
 * first recorded call to another one, it still has a window there, which stays.
 */
static void image_forget(void (*forget)(void))
{
    bool unmap = image_has_one_thread();
    if (image.header != NULL && unmap)
        sys_munmap(image.header, RAW_UNIT);
    image.header = NULL;
    image.early_lost = 0;
    image.early_errno = 0;
    image.is_root = false;
    image.refusal = NULL;
    space_forget(unmap);
    forget();
}

static bool image_begin_child(struct wiped *wiped, void (*forget)(void))
{
    uint32_t self = lock_take(&wiped->lock);
    if (self == 0)
        return false;
    if (!wiped->begun) {
        struct recording_process process = control_identify(image_has_one_thread());
        image_forget(forget);
        image_start(&process, sys_getppid());
        if (image.children)
            image_set_live(wiped);
        else
            __atomic_store_n(&image.state, IMAGE_OFF, __ATOMIC_RELEASE);
    }
    lock_give(&wiped->lock, self);
    return image.children;
}

/* Whether spanbench wants what this process does at present. */
static bool image_is_asked_for(struct wiped *wiped)
{
    enum recording_phase phase = control_phase();
    if (phase == RECORDING_ALWAYS)
        wiped->live = 1;
    return phase == RECORDING_ALWAYS || phase == RECORDING_STRETCH;
}

static bool image_attend_quietly(void (*forget)(void))
{
    struct wiped *wiped = image_wiped();
    switch (__atomic_load_n(&image.state, __ATOMIC_ACQUIRE)) {
    case IMAGE_OFF:
        return false;
    case IMAGE_UNKNOWN:
        return image_decide(&wiped->lock);
    case IMAGE_ON:
        break;
    }
    return (wiped->begun || image_begin_child(wiped, forget)) && image_is_asked_for(wiped);
}

/* The system calls are for what happens once; a call of the program that merely asks makes none. */
bool image_attend(void (*forget)(void))
{
    struct wiped *wiped = image_wiped();
    if (wiped->begun)
        return image_is_asked_for(wiped);
    uint64_t signals = sys_signals_block();
    bool recorded = image_attend_quietly(forget);
    sys_signals_restore(signals);
    return recorded;
}

bool image_is_recorded(void)
{
    struct wiped *wiped = image_wiped();
    return wiped->begun && image_is_asked_for(wiped);
}

static bool image_is_on(void)
{
    return __atomic_load_n(&image.state, __ATOMIC_ACQUIRE) == IMAGE_ON;
}

bool image_follows(uint32_t pid)
{
    return image_is_on() && (image.children || (image.is_root && pid == image.process.pid));
}

bool image_follows_children(void)
{
    return image_is_on() && image.children;
}

uint64_t image_pid_namespace(uint32_t pid)
{
    bool is_own = pid == image.process.pid;
    return is_own ? image.process.pid_namespace : control_pid_namespace();
}

/* The child of a vfork that ends before it has turned into another image ends ours as well, as it
   seems here: to tell the two apart would take a system call. */
void image_ends(void)
{
    if (image_wiped()->begun && image.is_root)
        control_root_ends();
}

static void header_fill(struct raw_header *header, uint32_t number)
{
    struct text text = text_open(header->text, sizeof header->text);
    header->version = RAW_VERSION;
    header->pid = image.process.pid;
    header->pid_namespace = image.process.pid_namespace;
    header->start_ticks = image.process.start_ticks;
    header->image = number;
    header->parent = image.parent;
    header->start_stamp = header->last_stamp = image.start_stamp;
    header->start_ns = header->last_ns = image.start_ns;
    header->end = RAW_UNIT;
    header->lost_ops = __atomic_exchange_n(&image.early_lost, 0, __ATOMIC_RELAXED);
    header->lost_errno = (uint32_t)image.early_errno;
    text_describe_image(&text, header->pid, number);
    text_put_lines(&text, image.libc);
    header->text_bytes = (uint32_t)text.length;
    __atomic_store_n(&header->magic, RAW_MAGIC, __ATOMIC_RELEASE);
}

/* Maps all of the file that is mapped first. */
static int header_map(int fd, struct raw_header **header)
{
    uint64_t bytes;
    int error = file_size(fd, &bytes);
    if (error != 0)
        return error;
    struct raw_header *mapped = sys_mmap(RAW_UNIT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (sys_is_error((long)mapped))
        return (int)(long)mapped;
    space_read_no_further(mapped, RAW_UNIT);
    error = control_claim(RAW_STEP) ? 0 : -RAW_LOST_BY_SIZE;
    if (error == 0)
        error = space_reserve(mapped, 0, HEADER_BYTES);
    if (error == 0)
        error = space_begin(fd, bytes, !control_is_limited());
    if (error == 0)
        *header = mapped;
    else
        sys_munmap(mapped, RAW_UNIT);
    return error;
}

/* So that it is known which image has which file, or why it has none. */
static void header_report(const struct raw_header *header, int error)
{
    char program[RECORDING_PATH_BYTES];
    if (header != NULL) {
        control_remove_note(image.refusal);
        image.refusal = NULL;
        if (image.is_root)
            control_root_has_file(header->image);
    } else if (image.is_root) {
        control_root_lacks_file((uint32_t)-error);
    } else if (image.refusal == NULL) {
        control_program(program);
        image.refusal =
            control_note(NOTE_REFUSED, image.process.pid, image.process.pid_namespace, 0, program);
        if (image.refusal != NULL)
            image.refusal->error = (uint32_t)-error;
    }
}

/* What becomes of an attempt to create the raw file. */
struct creation {
    struct raw_header *header;
    int error;
};

static void header_create(void *p)
{
    struct creation *creation = p;
    uint32_t number;
    int fd = file_create(image.process.pid, &number);
    creation->error = fd < 0 ? fd : header_map(fd, &creation->header);
    if (creation->error == 0)
        header_fill(creation->header, number);
    if (fd >= 0)
        sys_close(fd);
    if (fd >= 0 && creation->error != 0)
        file_remove();
}

/*
 * No thread may find a descriptor of ours, not even for a moment. A process makes its first call
 * before its first other thread; but a forked child may have several by then. Only an emulator
 * refuses the helper as invalid, and lists threads that are its own.
 */
static int image_create(void)
{
    struct creation creation = {NULL, 0};
    int refused = -EINVAL;
    if (!image_has_one_thread())
        refused = helper_run(header_create, &creation);
    if (refused == -EINVAL)
        header_create(&creation);
    else if (refused != 0)
        return refused;
    __atomic_store_n(&image.header, creation.header, __ATOMIC_RELEASE);
    return creation.error;
}

int image_header(struct raw_header **header)
{
    int error = 0;
    *header = __atomic_load_n(&image.header, __ATOMIC_ACQUIRE);
    if (*header != NULL)
        return 0;
    uint32_t *lock = &image_wiped()->lock;
    uint32_t self = lock_take(lock);
    if (self == 0)
        return -EDEADLK;
    if (image.header == NULL) {
        error = image_create();
        header_report(image.header, error);
    }
    lock_give(lock, self);
    *header = image.header;
    return error;
}

void image_lose(int error)
{
    struct raw_header *header = __atomic_load_n(&image.header, __ATOMIC_ACQUIRE);
    if (header == NULL) {
        if (error != 0)
            image.early_errno = error;
        __atomic_fetch_add(&image.early_lost, 1, __ATOMIC_RELAXED);
        return;
    }
    if (error != 0)
        header->lost_errno = (uint32_t)error;
    __atomic_fetch_add(&header->lost_ops, 1, __ATOMIC_RELAXED);
}

/* One thread at a time, for stamp and time belong together; who comes second has nothing to add. */
void image_renew_clock(void)
{
    struct raw_header *header = __atomic_load_n(&image.header, __ATOMIC_ACQUIRE);
    struct wiped *wiped = image_wiped();
    if (header == NULL || __atomic_exchange_n(&wiped->renewing, 1, __ATOMIC_ACQUIRE) != 0)
        return;
    header->last_ns = clock_ns();
    header->last_stamp = raw_stamp();
    __atomic_store_n(&wiped->renewing, 0, __ATOMIC_RELEASE);
}

void image_prepare(void)
{
    struct text line = text_open(image.libc, sizeof image.libc);
    text_describe_libc(&line);
    struct raw_header *header = __atomic_load_n(&image.header, __ATOMIC_ACQUIRE);
    if (header == NULL)
        return;
    struct text text = {header->text, header->text_bytes, sizeof header->text};
    text_put_lines(&text, image.libc);
    header->text_bytes = (uint32_t)text.length;
}

void image_forked(void)
{
    struct wiped *wiped = image_wiped();
    wiped->live = 0;
    wiped->begun = 0;
    wiped->lock = 0;
    wiped->renewing = 0;
}
