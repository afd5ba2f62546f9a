/*
 * Opens libraries with the prefixed functions while it runs, with threads that are older and
 * younger than they, and closes them: opener local|deepbind LIBRARY...  Meanwhile a thread uses the
 * program's own malloc, and blocks are kept over the closing. Prints the number of libraries that
 * were well.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 2000, BYTES_MAX = 3000, LIBRARIES_MAX = 4 };

struct library {
    void *handle;
    void *(*allocate)(size_t size);
    void *(*resize)(void *p, size_t size);
    void (*free)(void *p);
    unsigned (*check)(void);
    void *kept; /* a block, over the closing */
};

static struct library libraries[LIBRARIES_MAX];
static int library_count;
static pthread_barrier_t opened;
static pthread_barrier_t used;
static pthread_barrier_t closed;
static atomic_bool done;

static bool open_library(struct library *library, const char *path, int flags)
{
    library->handle = dlopen(path, RTLD_NOW | flags);
    if (!library->handle)
        return false;
    *(void **)&library->allocate = dlsym(library->handle, "span_malloc");
    *(void **)&library->resize = dlsym(library->handle, "span_realloc");
    *(void **)&library->free = dlsym(library->handle, "span_free");
    *(void **)&library->check = dlsym(library->handle, "span_check");
    return library->allocate && library->resize && library->free && library->check;
}

static bool use(const struct library *library)
{
    static _Thread_local char *blocks[BLOCKS];
    bool whole = true;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = library->allocate(i * 7919 % BYTES_MAX + 1);
        blocks[i][0] = (char)i;
        blocks[i] = library->resize(blocks[i], i * 104729 % BYTES_MAX + 1);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        whole = whole && blocks[i][0] == (char)i;
        library->free(blocks[i]);
    }
    return whole;
}

static void *use_all(void *unused)
{
    for (int i = 0; i < library_count; i++)
        if (!use(&libraries[i]))
            return &libraries[i];
    return unused;
}

/* Is there before the libraries, and ends after they were closed. */
static void *live_longer(void *unused)
{
    pthread_barrier_wait(&opened);
    void *wrong = use_all(unused);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return wrong;
}

static void *use_own_malloc(void *unused)
{
    while (!atomic_load(&done))
        free(malloc(1000));
    return unused;
}

static bool forks_well(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return waitpid(child, &status, 0) == child && status == 0;
}

/* The block that was kept can still be freed when the library is opened again. */
static bool reopens(struct library *library, const char *path, int flags)
{
    if (!open_library(library, path, flags))
        return false;
    bool whole = strcmp(library->kept, "kept") == 0;
    library->free(library->kept);
    return use(library) && whole && library->check() == 0;
}

static bool is_null(pthread_t thread)
{
    void *result;
    return pthread_join(thread, &result) == 0 && !result;
}

static bool open_all(char **paths, int flags)
{
    for (library_count = 0; paths[library_count]; library_count++) {
        struct library *library = &libraries[library_count];
        if (!open_library(library, paths[library_count], flags)) {
            fprintf(stderr, "%s\n", dlerror());
            return false;
        }
        library->kept = strcpy(library->allocate(100), "kept");
    }
    return true;
}

static void close_all(void)
{
    for (int i = 0; i < library_count; i++)
        dlclose(libraries[i].handle);
}

/* Opens, uses and closes the libraries, and forks, with a thread on either side. */
static bool live_with(char **paths, int flags)
{
    pthread_t older;
    pthread_t younger;
    if (pthread_create(&older, NULL, live_longer, NULL) != 0 || !open_all(paths, flags) ||
        pthread_create(&younger, NULL, use_all, NULL) != 0)
        return false;
    pthread_barrier_wait(&opened);
    bool well = !use_all(NULL) && is_null(younger);
    pthread_barrier_wait(&used);
    close_all();
    pthread_barrier_wait(&closed);
    return is_null(older) && forks_well() && well;
}

int main(int argc, char **argv)
{
    pthread_t own;
    int well = 0;
    if (argc < 3 || argc - 2 > LIBRARIES_MAX)
        return 2;
    int flags = RTLD_LOCAL | (strcmp(argv[1], "deepbind") == 0 ? RTLD_DEEPBIND : 0);
    pthread_barrier_init(&opened, NULL, 2);
    pthread_barrier_init(&used, NULL, 2);
    pthread_barrier_init(&closed, NULL, 2);
    if (pthread_create(&own, NULL, use_own_malloc, NULL) != 0 || !live_with(argv + 2, flags))
        return 1;
    for (int i = 0; i < library_count; i++)
        well += reopens(&libraries[i], argv[2 + i], flags);
    atomic_store(&done, true);
    if (!is_null(own))
        return 1;
    printf("%d\n", well);
    return 0;
}
