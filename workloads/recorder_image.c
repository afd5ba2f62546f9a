/*
 * This process image as the recorder sees it, see recorder_image.h.
 */
#include "recorder_image.h"
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

static const volatile uint64_t never_live;
const volatile uint64_t *image_live = &never_live;

static struct {
    enum image_state state; /* atomic */
    bool lock;              /* atomic */
    bool children;          /* forked processes and their images are wanted, too */
    uint32_t pid;           /* whose memory this is; a vfork child shares it */
    uint32_t parent;
    uint64_t start_stamp;
    uint64_t start_ns;
    volatile uint64_t *live;   /* what image_live points to, once it is on */
    struct raw_header *header; /* atomic; NULL: not created yet */
    uint64_t early_lost;       /* atomic; calls lost before there was a header */
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

static void image_start(uint32_t parent)
{
    image.pid = (uint32_t)getpid();
    image.parent = parent;
    image.start_ns = raw_clock_ns();
    image.start_stamp = raw_stamp();
}

/* The page is one that the kernel wipes in a child, even if fork is not libc's. */
static bool image_make_live(void)
{
    void *page = mmap(NULL, RAW_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    madvise(page, RAW_PAGE, MADV_WIPEONFORK);
    image.live = page;
    *image.live = 1;
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
    bool root = file_claim_root((uint32_t)getpid());
    if (!root && !image.children)
        return IMAGE_OFF;
    image_start(root ? 0 : (uint32_t)getppid());
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
    image_start((uint32_t)getppid());
    file_forget();
    window_forget(&stream_own);
    if (image.children)
        *image.live = 1;
    else
        image.state = IMAGE_OFF;
    image_unlock(&pause);
    return image.children;
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
    return *image_live || image_begin_child();
}

static void header_fill(struct raw_header *header, uint32_t number)
{
    struct text text = text_open(header->text, sizeof header->text);
    header->version = RAW_VERSION;
    header->pid = image.pid;
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

static struct raw_header *header_create(void)
{
    uint32_t number;
    int fd = file_create(image.pid, &number);
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
    if (image.header == NULL)
        __atomic_store_n(&image.header, header_create(), __ATOMIC_RELEASE);
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
    if (image.live != NULL)
        *image.live = 0;
}

void image_keep_files(void)
{
    if (!*image_live)
        return;
    struct image_pause pause = image_lock();
    if (image_header() != NULL)
        file_keep();
    image_unlock(&pause);
}

void image_drop_files(void)
{
    if (!*image_live)
        return;
    struct image_pause pause = image_lock();
    file_drop_kept();
    image_unlock(&pause);
}
