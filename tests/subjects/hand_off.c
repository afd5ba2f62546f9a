/*
 * Four threads malloc, realloc and free as fast as they can, mostly blocks that another of them
 * made: they pass them through a table of atomic pointers. Argument: rounds of each thread.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { THREADS = 4, SHARED = 64 };

static _Atomic(void *) table[SHARED];
static long rounds;
static pthread_barrier_t start;

static void *hammer(void *number)
{
    uint64_t random = (uintptr_t)number * 0x9e3779b97f4a7c15u + 1;
    pthread_barrier_wait(&start);
    for (long i = 0; i < rounds; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = (random >> 40) % 2000 + 1;
        void *p = atomic_exchange(&table[(random >> 33) % SHARED], NULL);
        if (random >> 63)
            p = realloc(p, size);
        else {
            free(p);
            p = malloc(size);
        }
        free(atomic_exchange(&table[(random >> 20) % SHARED], p));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    rounds = argc > 1 ? atol(argv[1]) : 100000;
    pthread_barrier_init(&start, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, hammer, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SHARED; i++)
        free(table[i]);
    return 0;
}
