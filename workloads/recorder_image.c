/*
 * This process image as the recorder sees it, see recorder_image.h.
 */
#include "recorder_image.h"
#include "recorder_control.h"
#include "recorder_file.h"
#include "recorder_text.h"
#include "recorder_window.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum image_state {
    IMAGE_UNKNOWN, /* not decided, see image_begin */
    IMAGE_OFF,     /* not recorded */
    IMAGE_ON,      /* recorded, unless *image_live says that this is a forked child */
};

/*
 * Words of a page that the kernel wipes in a child, even if fork is not libc's. While spanbench
 * may begin or end the recording at any moment, the first one stays 0: then each call asks.
 */
enum live_word { LIVE_WITHOUT_ASKING, LIVE_SAME_PROCESS };

static const volatile uint64_t never_live;
const volatile uint64_t *image_live = &never_live;

static struct {
    enum image_state state;           /* atomic */
    bool lock;                        /* atomic */
    bool children;                    /* forked processes and their images are wanted, too */
    bool is_root;                     /* the command's own process */
    struct recording_process process; /* whose memory this is; a vfork child shares it */
    uint32_t parent;
    uint64_t start_stamp;
    uint64_t start_ns;
    volatile uint64_t *live;   /* enum live_word; image_live points to its first, once it is on */
    struct raw_header *header; /* atomic; NULL: not created yet */
    uint64_t early_lost;       /* atomic; calls lost before there was a header */
    struct recording_note *refusal; /* why there is none, if that is noted */
} image;

struct image_pause image_lock(void)
{
    struct image_pause pause = {.error = errno};
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &pause.signals);
    while (__atomic_exchange_n(&image.lock, true, __ATOMIC_ACQUIRE))
        sched_yield();
    return pause;
}

void image_unlock(const struct image_pause *pause)
{
    __atomic_store_n(&image.lock, false, __ATOMIC_RELEASE);
    pthread_sigmask(SIG_SETMASK, &pause->signals, NULL);
    errno = pause->error;
}

static void image_start(const struct recording_process *process, uint32_t parent)
{
    image.process = *process;
    image.parent = parent;
    image.start_ns = raw_clock_ns();
    image.start_stamp = raw_stamp();
}

static void image_set_live(void)
{
    image.live[LIVE_SAME_PROCESS] = 1;
    image.live[LIVE_WITHOUT_ASKING] = control_phase() == RECORDING_ALWAYS;
}

static bool image_make_live(void)
{
    void *page = mmap(NULL, RAW_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    madvise(page, RAW_PAGE, MADV_WIPEONFORK);
    image.live = page;
    image_set_live();
    image_live = page;
    return true;
}

/* libc sets `environ` before any code of the program runs; the dynamic loader may call before. */
static enum image_state image_begin(void)
{
    if (environ == NULL)
        return IMAGE_UNKNOWN;
    const char *directory = getenv("SPANBENCH_RECORD_DIR");
    const char *children = getenv("SPANBENCH_RECORD_CHILDREN");
    if (directory == NULL || !file_choose_directory(directory))
        return IMAGE_OFF;
    image.children = children == NULL || strcmp(children, "0") != 0;
    control_open(directory);
    struct recording_process process = control_identify();
    image.is_root = control_exists() ? control_is_root(&process) : file_claim_root(process.pid);
    if (!image.is_root && !image.children)
        return IMAGE_OFF;
    uint32_t parent = (uint32_t)getppid();
    control_image_starts(&process, parent, image.is_root);
    image_start(&process, image.is_root ? 0 : parent);
    window_prepare();
    return image_make_live() ? IMAGE_ON : IMAGE_OFF;
}

static bool image_decide(void)
{
    struct image_pause pause = image_lock();
    enum image_state state = __atomic_load_n(&image.state, __ATOMIC_ACQUIRE);
    if (state == IMAGE_UNKNOWN) {
        state = image_begin();
        __atomic_store_n(&image.state, state, __ATOMIC_RELEASE);
    }
    image_unlock(&pause);
    return state == IMAGE_ON;
}

/* The lock may be held by a thread of the parent: this child has none but the calling one. */
static bool image_begin_child(void)
{
    __atomic_store_n(&image.lock, false, __ATOMIC_RELEASE);
    struct image_pause pause = image_lock();
    if (image.header != NULL)
        munmap(image.header, RAW_PAGE);
    image.header = NULL;
    image.early_lost = 0;
    image.is_root = false;
    image.refusal = NULL;
    struct recording_process process = control_identify();
    image_start(&process, (uint32_t)getppid());
    file_forget();
    window_forget(&stream_own);
    if (image.children)
        image_set_live();
    else
        image.state = IMAGE_OFF;
    image_unlock(&pause);
    return image.children;
}

/* Whether spanbench wants what this process does at present. */
static bool image_is_asked_for(void)
{
    enum recording_phase phase = control_phase();
    if (phase == RECORDING_ALWAYS)
        image.live[LIVE_WITHOUT_ASKING] = 1;
    return phase == RECORDING_ALWAYS || phase == RECORDING_STRETCH;
}

bool image_attend(void)
{
    switch (__atomic_load_n(&image.state, __ATOMIC_ACQUIRE)) {
    case IMAGE_OFF:
        return false;
    case IMAGE_UNKNOWN:
        return image_decide();
    case IMAGE_ON:
        break;
    }
    if (!image.live[LIVE_SAME_PROCESS] && !image_begin_child())
        return false;
    return image_is_asked_for();
}

bool image_is_recorded(void)
{
    if (__atomic_load_n(&image.state, __ATOMIC_ACQUIRE) != IMAGE_ON)
        return false;
    return image.live[LIVE_SAME_PROCESS] && image_is_asked_for();
}

bool image_follows(uint32_t pid)
{
    if (__atomic_load_n(&image.state, __ATOMIC_ACQUIRE) != IMAGE_ON)
        return false;
    return image.children || (image.is_root && pid == image.process.pid);
}

bool image_follows_children(void)
{
    return __atomic_load_n(&image.state, __ATOMIC_ACQUIRE) == IMAGE_ON && image.children;
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
    if (image.live == NULL || !image.live[LIVE_SAME_PROCESS])
        return;
    if (image.is_root)
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
    header->end = RAW_PAGE;
    header->lost_ops = __atomic_exchange_n(&image.early_lost, 0, __ATOMIC_RELAXED);
    text_describe_image(&text, header->pid, number);
    header->text_bytes = (uint32_t)text.length;
    __atomic_store_n(&header->magic, RAW_MAGIC, __ATOMIC_RELEASE);
}

static struct raw_header *header_map(int fd)
{
    if (!file_extend(fd, 0, RAW_PAGE))
        return NULL;
    void *p = mmap(NULL, RAW_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p != MAP_FAILED ? p : NULL;
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
        control_root_lacks_file((uint32_t)error);
    } else if (image.refusal == NULL) {
        control_program(program);
        image.refusal =
            control_note(NOTE_REFUSED, image.process.pid, image.process.pid_namespace, 0, program);
        if (image.refusal != NULL)
            image.refusal->error = (uint32_t)error;
    }
}

static struct raw_header *header_create(void)
{
    uint32_t number;
    int fd = file_create(image.process.pid, &number);
    if (fd < 0)
        return NULL;
    struct raw_header *header = header_map(fd);
    int error = errno;
    file_close(fd);
    if (header != NULL)
        header_fill(header, number);
    else
        file_remove();
    errno = error;
    return header;
}

struct raw_header *image_header(void)
{
    if (image.header == NULL) {
        struct raw_header *header = header_create();
        int error = errno;
        __atomic_store_n(&image.header, header, __ATOMIC_RELEASE);
        header_report(header, error);
        errno = error;
    }
    return image.header;
}

void image_lose(int error)
{
    struct raw_header *header = __atomic_load_n(&image.header, __ATOMIC_ACQUIRE);
    if (header == NULL) {
        __atomic_fetch_add(&image.early_lost, 1, __ATOMIC_RELAXED);
        return;
    }
    if (error != 0)
        header->lost_errno = (uint32_t)error;
    __atomic_fetch_add(&header->lost_ops, 1, __ATOMIC_RELAXED);
}

void image_renew_clock(void)
{
    struct raw_header *header = image.header;
    if (header == NULL)
        return;
    header->last_ns = raw_clock_ns();
    header->last_stamp = raw_stamp();
}

void image_forked(void)
{
    if (image.live == NULL)
        return;
    image.live[LIVE_WITHOUT_ASKING] = 0;
    image.live[LIVE_SAME_PROCESS] = 0;
}

void image_keep_files(void)
{
    if (!image_is_recorded())
        return;
    struct image_pause pause = image_lock();
    if (image_header() != NULL)
        file_keep();
    image_unlock(&pause);
}

void image_drop_files(void)
{
    if (!image_is_recorded())
        return;
    struct image_pause pause = image_lock();
    file_drop_kept();
    image_unlock(&pause);
}
