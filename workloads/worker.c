/*
 * The slow parts of a worker: tables, threads, the sum of live bytes, and the end of the process
 * when an allocator has failed. Nothing in here calls malloc; stdio is not used, since it might.
 */
#include "worker.h"

#include "pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Arbitrary: enough for a workload, the C library and an allocator. */
enum { STACK_BYTES = 256 << 10 };

atomic_bool workers_stopped;

static alignas(WORKER_APART) _Atomic int64_t live_of_all;
static _Atomic int64_t peak_of_all;
static const char *name_of_all = "workload";

void workers_name(const char *name)
{
    name_of_all = name;
}

__attribute__((noreturn)) static void say_and_exit(int status, const char *format,
                                                   va_list arguments)
{
    char line[WORKER_ERROR_MAX];
    int head = snprintf(line, sizeof(line), "%s: ", name_of_all);
    vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, arguments);
    size_t length = strlen(line);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) >= 0)
        _exit(status);
    abort();
}

void worker_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_and_exit(1, format, arguments);
}

void worker_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_and_exit(2, format, arguments);
}

void worker_fail_call(const char *call, size_t size)
{
    worker_fail("%s of %zu byte%s returned NULL", call, size, plural(size));
}

void worker_fail_block(const void *p, size_t size)
{
    worker_fail("block %p of %zu byte%s does not hold what was written to it", p, size,
                plural(size));
}

/* Small pages: whether a table gets huge ones depends on where it happens to lie. */
void *worker_table(size_t bytes)
{
    volatile char *p = pages_map(bytes);
    if (p == NULL)
        worker_fail("%zu byte%s of tables: %s", bytes, plural(bytes), strerror(errno));
    madvise((void *)p, bytes, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < bytes; i += WORKER_PAGE)
        p[i] = 0;
    return (void *)p;
}

struct worker *workers_make(const struct workload_options *options)
{
    struct worker *workers = worker_table(options->threads * sizeof(*workers));
    for (unsigned i = 0; i < options->threads; i++)
        workers[i] = (struct worker){
            .options = options,
            .index = i,
            .prng = prng_of_seed(options->seed, i),
            .stack = worker_table(STACK_BYTES),
        };
    return workers;
}

void workers_make_state(struct worker *workers, size_t bytes)
{
    unsigned threads = workers[0].options->threads;
    bytes = (bytes + WORKER_APART - 1) & ~(size_t)(WORKER_APART - 1);
    char *states = worker_table(threads * bytes);
    for (unsigned i = 0; i < threads; i++)
        workers[i].state = states + i * bytes;
}

/* What a new thread is to do. */
struct errand {
    struct worker *worker;
    void (*body)(struct worker *);
};

static void *run_errand(void *data)
{
    struct errand errand = *(struct errand *)data;
    errand.body(errand.worker);
    return NULL;
}

bool worker_try_thread(struct worker *worker, void (*body)(struct worker *))
{
    struct errand errand = {worker, body};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, worker->stack, STACK_BYTES);
    int error = pthread_create(&thread, &attributes, run_errand, &errand);
    pthread_attr_destroy(&attributes);
    if (error == EAGAIN)
        return false;
    if (error != 0)
        worker_fail("a thread: %s", strerror(error));
    pthread_join(thread, NULL);
    return true;
}

void worker_run_thread(struct worker *worker, void (*body)(struct worker *))
{
    if (!worker_try_thread(worker, body))
        worker_fail("a thread: %s", strerror(EAGAIN));
}

void worker_share_live(struct worker *worker)
{
    int64_t before = atomic_fetch_add(&live_of_all, worker->live);
    int64_t peak = atomic_load(&peak_of_all);
    while (before + worker->live_high > peak)
        if (atomic_compare_exchange_weak(&peak_of_all, &peak, before + worker->live_high))
            break;
    worker->live = 0;
    worker->live_high = 0;
}

int64_t workers_live(void)
{
    return atomic_load(&live_of_all);
}

int64_t workers_peak_live(void)
{
    return atomic_load(&peak_of_all);
}
