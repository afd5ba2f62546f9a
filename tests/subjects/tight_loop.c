/*
 * tight_loop THREADS CALLS: each thread makes so many calls, malloc and free in turn, and nothing
 * else. Prints how many ns a call took, from the moment at which all have begun to the end of the
 * last one: what a recorder adds to that is what it costs.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 64, SIZES = 32, STEP = 16 };

static pthread_barrier_t begun;
static long calls;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *loop(void *unused)
{
    pthread_barrier_wait(&begun);
    for (long i = 0; i < calls / 2; i++) {
        void *volatile p = malloc((size_t)(1 + i % SIZES) * STEP);
        free(p);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t others[THREADS_MAX];
    int threads = argc == 3 ? atoi(argv[1]) : 0;
    calls = argc == 3 ? atol(argv[2]) : 0;
    if (threads < 1 || threads > THREADS_MAX || calls < 2) {
        fputs("usage: tight_loop THREADS CALLS\n", stderr);
        return 2;
    }
    pthread_barrier_init(&begun, NULL, (unsigned)threads);
    for (int i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, loop, NULL) != 0)
            return 1;
    uint64_t start = now_ns();
    loop(NULL);
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    printf("%.3f\n", (double)(now_ns() - start) / (double)calls);
    return 0;
}
