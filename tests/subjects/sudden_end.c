/* Leaves main, with an atexit handler that frees, while four threads allocate and free. */
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, BLOCKS = 1000, BYTES_MAX = 3000 };

static void *blocks[BLOCKS];
static pthread_barrier_t start;

static void *work(void *unused)
{
    pthread_barrier_wait(&start);
    for (size_t i = 0;; i++)
        free(realloc(malloc(i % BYTES_MAX), i * 7919 % BYTES_MAX + 1));
    return unused;
}

static void free_all(void)
{
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&start, NULL, THREADS + 1);
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(i * 7919 % BYTES_MAX);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, work, NULL) != 0)
            return 1;
    atexit(free_all);
    pthread_barrier_wait(&start);
    return 0;
}
