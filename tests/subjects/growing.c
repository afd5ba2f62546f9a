/*
 * Brings an allocator to all that it asks of the system: memory that comes in small pages and in
 * huge ones, moves, shrinks and goes. growing alone|threads|twice: one thread or several; in one,
 * after which a block is freed twice.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKS = 1000,
    BYTES = 32 << 10, /* all together more than a heap has before its pages are huge */
    LARGE = 64 << 20,
    THREADS = 3,
};

static void *fill_and_drain(void *unused)
{
    static _Thread_local char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BYTES);
        memset(blocks[i], i, BYTES);
    }
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return unused;
}

static void *grow_and_shrink(void *unused)
{
    char *p = NULL;
    for (size_t bytes = 1; bytes <= LARGE; bytes *= 2) {
        p = realloc(p, bytes);
        p[bytes / 2] = 1;
    }
    free(realloc(p, LARGE / 8));
    return unused;
}

static void *live(void *unused)
{
    fill_and_drain(unused);
    return grow_and_shrink(unused);
}

static int live_in_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, live, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "threads") == 0)
        return live_in_threads();
    live(NULL);
    void *volatile p = malloc(1000);
    if (strcmp(argv[1], "twice") == 0)
        free(p);
    free(p);
    return 0;
}
