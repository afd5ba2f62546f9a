/*
 * The windows of the recorder, see recorder_window.h: claiming, handing on, and the end of
 * threads. Everything here is slow and happens once in some thousand calls.
 */
#include "recorder_window.h"
#include "recorder_control.h"
#include "recorder_file.h"
#include "recorder_image.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>

enum {
    WINDOW_RESTS_MAX = 64,   /* about as many as threads end at the same time */
    WINDOW_REST_LEAST = 512, /* a smaller rest is not worth handing on */
    WINDOW_SKIP = 1024,      /* calls between two tries; a failed try costs microseconds */
    WINDOW_SLACK_WORDS = RAW_WORDS_MAX - 1, /* cursor < limit: any record fits */
};

/* What an ended thread left of its window. */
struct window_rest {
    struct raw_window *window;
    uint64_t *cursor;
};

_Thread_local struct stream stream_own __attribute__((tls_model("initial-exec")));

uint32_t streams_begun;

/* Guarded by the image's lock. */
static struct window_rest rests[WINDOW_RESTS_MAX];
static unsigned rest_count;

static pthread_key_t thread_key;
static bool thread_key_exists;

static uint64_t *window_end(struct raw_window *window)
{
    return (uint64_t *)((char *)window + window->bytes);
}

static void stream_enter(struct stream *stream, struct raw_window *window, uint64_t *cursor)
{
    stream->window = window;
    stream->cursor = cursor;
    stream->limit = window_end(window) - WINDOW_SLACK_WORDS;
    stream->sequence++;
}

static void stream_leave(struct stream *stream)
{
    stream->window = NULL;
    stream->cursor = NULL;
    stream->limit = NULL;
}

static void window_unmap(struct raw_window *window)
{
    if (window != NULL)
        munmap(window, window->bytes);
}

static void rest_put(struct stream *stream)
{
    uint64_t *end = window_end(stream->window);
    size_t left = (size_t)((char *)end - (char *)stream->cursor);
    if (left >= WINDOW_REST_LEAST && rest_count < WINDOW_RESTS_MAX)
        rests[rest_count++] = (struct window_rest){stream->window, stream->cursor};
    else
        window_unmap(stream->window);
}

static void rest_take(struct stream *stream)
{
    struct window_rest rest = rests[--rest_count];
    const uint64_t more[] = {stream->sequence};
    rest.window->handed_on = 1;
    stream_enter(stream, rest.window, rest.cursor);
    stream_put(stream, TRACE_THREAD_START, raw_stamp(), (void *)(uintptr_t)stream->thread, 0, more,
               1);
}

static struct raw_window *window_map(const struct raw_header *header, uint64_t bytes)
{
    void *p = MAP_FAILED;
    int fd = file_open();
    if (fd < 0)
        return NULL;
    if (!control_claim(bytes))
        errno = RAW_LOST_BY_SIZE;
    else if (file_extend(fd, header->end, bytes))
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)header->end);
    else
        control_give_back(bytes);
    int error = errno;
    file_close(fd);
    errno = error;
    return p != MAP_FAILED ? p : NULL;
}

/* A smaller window may still fit where a disk or a limit is nearly reached. */
static bool error_may_pass_with_less(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG || error == ENOMEM ||
           error == RAW_LOST_BY_SIZE;
}

static struct raw_window *window_map_most(const struct raw_header *header, uint64_t *bytes)
{
    struct raw_window *window;
    while ((window = window_map(header, *bytes)) == NULL && *bytes > RAW_PAGE &&
           error_may_pass_with_less(errno))
        *bytes /= 2;
    return window;
}

static bool window_begin(struct stream *stream, struct raw_header *header)
{
    uint64_t bytes = stream->next_bytes != 0 ? stream->next_bytes : RAW_WINDOW_FIRST;
    struct raw_window *window = window_map_most(header, &bytes);
    if (window == NULL)
        return false;
    window->bytes = bytes;
    window->thread = stream->thread;
    window->sequence = stream->sequence;
    __atomic_store_n(&window->magic, RAW_WINDOW_MAGIC, __ATOMIC_RELEASE);
    header->end += bytes;
    stream->next_bytes = bytes < RAW_WINDOW_LAST ? bytes * 2 : bytes;
    stream_enter(stream, window, (uint64_t *)(window + 1));
    image_renew_clock();
    return true;
}

static void stream_number(struct stream *stream, struct raw_header *header)
{
    if (stream->numbered)
        return;
    stream->thread = (uint32_t)header->threads++;
    __atomic_fetch_add(&streams_begun, 1, __ATOMIC_RELAXED);
    stream->numbered = true;
    if (thread_key_exists)
        pthread_setspecific(thread_key, stream);
}

static bool claim_locked(struct stream *stream)
{
    struct raw_header *header = image_header();
    if (header == NULL)
        return false;
    stream_number(stream, header);
    window_unmap(stream->window);
    stream_leave(stream);
    bool wants_little = stream->next_bytes == 0 || stream->over;
    if (!wants_little || rest_count == 0)
        return window_begin(stream, header);
    rest_take(stream);
    return true;
}

static bool claim(struct stream *stream)
{
    struct image_pause pause = image_lock();
    bool claimed = claim_locked(stream);
    stream->skip_errno = errno;
    stream->skip = claimed ? 0 : WINDOW_SKIP;
    image_unlock(&pause);
    return claimed;
}

bool window_claim(struct stream *stream)
{
    stream->busy = STREAM_INSIDE;
    if (stream->skip > 0)
        stream->skip--;
    else if (claim(stream)) {
        stream->busy = STREAM_WRITING;
        return true;
    }
    image_lose(stream->skip_errno);
    return false;
}

void window_release(struct stream *stream)
{
    stream_put(stream, TRACE_THREAD_END, raw_stamp(), NULL, 0, NULL, 0);
    struct image_pause pause = image_lock();
    if (stream->window != NULL)
        rest_put(stream);
    stream_leave(stream);
    image_unlock(&pause);
}

/*
 * Destructors of other keys may still call malloc, so we ask to be called again until the last
 * round. Calls that come even later (libc's own) find the stream over; each of them claims and
 * releases a window (recorder.c), which is right but slow.
 */
static void thread_ends(void *p)
{
    struct stream *stream = p;
    if (++stream->rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(thread_key, stream);
        return;
    }
    if (!image_is_recorded())
        return; /* forked by a destructor, and nothing called since: nothing to end */
    stream->busy = STREAM_INSIDE;
    stream->over = true;
    window_release(stream);
    stream->busy = STREAM_IDLE;
}

void window_prepare(void)
{
    thread_key_exists = pthread_key_create(&thread_key, thread_ends) == 0;
}

void window_forget(struct stream *stream)
{
    window_unmap(stream->window);
    while (rest_count > 0)
        window_unmap(rests[--rest_count].window);
    *stream = (struct stream){.busy = stream->busy, .over = stream->over, .rounds = stream->rounds};
}
