/*
 * The windows of the recorder, see recorder_window.h: claiming, handing on, and the end of
 * threads. Everything here is slow and happens once in a thousand calls. No thread waits for
 * another.
 */
#include "recorder_window.h"
#include "recorder_control.h"
#include "recorder_space.h"
#include "recorder_symbols.h"
#include "recorder_sys.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

enum {
    WINDOW_RESTS_MAX = 64,   /* about as many as threads end at the same time */
    WINDOW_REST_LEAST = 512, /* a smaller rest is not worth handing on */
    WINDOW_SKIP = 1024,      /* calls between two tries; a failed try costs microseconds */
    WINDOWS_BUSY = 16,       /* a thread that has had so many, 1 MiB, will fill as many more */
    /* cursor < limit: any record fits */
    WINDOW_SLACK_WORDS = RAW_WORDS_MAX + RECORDER_SITE_WORDS - 1,
};

_Thread_local struct stream stream_own __attribute__((tls_model("initial-exec")));

/* Windows of which ended threads left something, behind `used`; NULL: a free place. Atomic: whoever
   takes one out has it for himself. */
static struct raw_window *rests[WINDOW_RESTS_MAX];

static pthread_key_t thread_key;
static int (*thread_key_set)(pthread_key_t, const void *); /* atomic; NULL: there is no key */

/* The thread comes back here before it writes behind the first `end` bytes of its window. */
static void stream_limit(struct stream *stream, uint64_t end)
{
    struct raw_window *window = stream->window;
    stream->end = end < window->bytes ? end : window->bytes;
    stream->limit = (uint64_t *)((char *)window + stream->end) - WINDOW_SLACK_WORDS;
}

static void stream_enter(struct stream *stream, struct raw_window *window, uint64_t used)
{
    char *start = (char *)window;
    stream->window = window;
    stream->cursor = (uint64_t *)(start + used);
    stream_limit(stream, used + SITES_REFRESH_BYTES);
    stream->sequence++;
}

static void stream_leave(struct stream *stream)
{
    stream->window = NULL;
    stream->cursor = NULL;
    stream->limit = NULL;
}

static bool stream_wants_little(const struct stream *stream)
{
    return stream->sequence == 0 || stream->over;
}

static void rest_put(struct stream *stream)
{
    struct raw_window *window = stream->window;
    size_t used = (size_t)((char *)stream->cursor - (char *)window);
    window->used = (uint32_t)used;
    for (unsigned i = 0; i < WINDOW_RESTS_MAX && RAW_UNIT - used >= WINDOW_REST_LEAST; i++) {
        struct raw_window *none = NULL;
        if (__atomic_compare_exchange_n(&rests[i], &none, window, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    }
    space_give_up(window);
}

static struct raw_window *rest_take(void)
{
    for (unsigned i = 0; i < WINDOW_RESTS_MAX; i++) {
        struct raw_window *window = NULL;
        if (__atomic_load_n(&rests[i], __ATOMIC_RELAXED) != NULL)
            window = __atomic_exchange_n(&rests[i], NULL, __ATOMIC_ACQUIRE);
        if (window != NULL)
            return window;
    }
    return NULL;
}

/* Takes the next bytes of the window from the disk. */
static int bytes_reserve(struct raw_window *window, uint64_t from, uint64_t bytes)
{
    if (!control_claim(bytes))
        return -RAW_LOST_BY_SIZE;
    int error = space_reserve(window, from, from + bytes);
    if (error != 0)
        control_give_back(bytes);
    return error;
}

/* The window's next step. The process's files may be full, then the stream stays where it is. */
static int window_grow(struct stream *stream)
{
    struct raw_window *window = stream->window;
    int error = bytes_reserve(window, window->bytes, RAW_STEP);
    if (error != 0)
        return error;
    window->bytes += RAW_STEP;
    stream_limit(stream, window->bytes);
    return 0;
}

static int rest_begin(struct stream *stream, struct raw_window *window)
{
    const uint64_t more[] = {stream->sequence};
    stream_enter(stream, window, window->used);
    int error = 0;
    if (stream->cursor >= stream->limit)
        error = window_grow(stream);
    if (error != 0) {
        rest_put(stream);
        stream_leave(stream);
        stream->sequence--;
        return error;
    }
    window->handed_on = 1;
    stream_put(stream, TRACE_THREAD_START, raw_stamp(), (void *)(uintptr_t)stream->thread, 0, more,
               1, NULL, 0);
    return 0;
}

static void header_raise_end(struct raw_header *header, uint64_t end)
{
    uint64_t known = __atomic_load_n(&header->end, __ATOMIC_RELAXED);
    while (known < end && !__atomic_compare_exchange_n(&header->end, &known, end, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* A new window with the first `bytes` reserved. `ahead`: where it is taken from; NULL: nowhere. */
static int window_make(struct space_ahead *ahead, uint64_t bytes, struct raw_window **window,
                       uint64_t *end)
{
    int error = ahead != NULL ? space_claim_ahead(ahead, window, end) : space_claim(window, end);
    if (error != 0)
        return error;
    error = bytes_reserve(*window, 0, bytes);
    if (error != 0)
        space_give_up(*window);
    else
        (*window)->bytes = bytes;
    return error;
}

/* A thread that has filled a window is given whole ones. Where that is more than there is, a step
   will do. */
static int window_begin(struct stream *stream, struct raw_header *header)
{
    struct raw_window *window;
    uint64_t end;
    bool is_busy = stream->sequence >= WINDOWS_BUSY && !stream->over;
    uint64_t bytes = stream_wants_little(stream) ? RAW_STEP : RAW_UNIT;
    int error = window_make(is_busy ? &stream->ahead : NULL, bytes, &window, &end);
    if (error != 0 && bytes > RAW_STEP)
        error = window_make(NULL, RAW_STEP, &window, &end);
    if (error != 0)
        return error;
    header_raise_end(header, end);
    window->thread = stream->thread;
    window->sequence = stream->sequence;
    __atomic_store_n(&window->magic, RAW_WINDOW_MAGIC, __ATOMIC_RELEASE);
    stream_enter(stream, window, sizeof *window);
    image_renew_clock();
    return 0;
}

/* The key makes the thread's end known to us. */
static void stream_watch(struct stream *stream)
{
    int (*set)(pthread_key_t, const void *) = __atomic_load_n(&thread_key_set, __ATOMIC_ACQUIRE);
    int error = errno;
    if (set != NULL)
        set(thread_key, stream);
    errno = error;
}

static void stream_number(struct stream *stream, struct raw_header *header)
{
    if (stream->numbered)
        return;
    stream->thread = (uint32_t)__atomic_fetch_add(&header->threads, 1, __ATOMIC_RELAXED);
    image_stamps_end();
    stream->numbered = true;
    stream_watch(stream);
}

/* A thread's first records go where another thread has left something. */
static int claim_another(struct stream *stream, struct raw_header *header)
{
    struct raw_window *rest = stream_wants_little(stream) ? rest_take() : NULL;
    return rest != NULL ? rest_begin(stream, rest) : window_begin(stream, header);
}

static int claim(struct stream *stream)
{
    struct raw_header *header;
    int error = image_header(&header);
    if (error != 0)
        return error;
    stream_number(stream, header);
    sites_refresh(&stream->sites);
    if (stream->window != NULL && stream->end < stream->window->bytes) {
        stream_limit(stream, stream->end + SITES_REFRESH_BYTES);
        return 0;
    }
    if (stream->window != NULL && stream->window->bytes < RAW_UNIT)
        return window_grow(stream);
    if (stream->window != NULL)
        space_give_up(stream->window);
    stream_leave(stream);
    return claim_another(stream, header);
}

/* No signal handler runs meanwhile: it might fork, or never return. */
static bool claim_quietly(struct stream *stream)
{
    uint64_t signals = sys_signals_block();
    int error = claim(stream);
    sys_signals_restore(signals);
    stream->skip_errno = -error;
    stream->skip = error == 0 ? 0 : WINDOW_SKIP;
    return error == 0;
}

bool window_claim(struct stream *stream)
{
    stream->busy = STREAM_INSIDE;
    if (stream->skip > 0)
        stream->skip--;
    else if (claim_quietly(stream)) {
        stream->busy = STREAM_WRITING;
        return true;
    }
    image_lose(stream->skip_errno);
    return false;
}

void window_release(struct stream *stream)
{
    stream_put(stream, TRACE_THREAD_END, raw_stamp(), NULL, 0, NULL, 0, NULL, 0);
    if (stream->window != NULL)
        rest_put(stream);
    stream_leave(stream);
    space_give_up_ahead(&stream->ahead);
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
        stream_watch(stream);
        return;
    }
    if (!image_is_recorded())
        return; /* forked by a destructor, and nothing called since: nothing to end */
    stream->busy = STREAM_INSIDE;
    stream->over = true;
    window_release(stream);
    stream->busy = STREAM_IDLE;
}

/*
 * Threads set the key while they call malloc, perhaps from a function of another preloaded library
 * that holds a lock: so they call libc's own.
 */
void window_prepare(void)
{
    void *set = symbol_of_libc("pthread_setspecific");
    if (pthread_key_create(&thread_key, thread_ends) != 0)
        return;
    __atomic_store_n((void **)&thread_key_set, set != NULL ? set : (void *)pthread_setspecific,
                     __ATOMIC_RELEASE);
    if (stream_own.numbered)
        stream_watch(&stream_own);
}

void window_forget_own(void)
{
    struct stream *stream = &stream_own;
    *stream = (struct stream){.busy = stream->busy, .over = stream->over, .rounds = stream->rounds};
}

void window_forget(void)
{
    for (unsigned i = 0; i < WINDOW_RESTS_MAX; i++)
        rests[i] = NULL;
    window_forget_own();
    sites_forget();
}
