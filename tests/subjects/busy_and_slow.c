/*
 * busy_and_slow THREADS PAIRS: while the first thread makes so many pairs of malloc and free, other
 * threads begin one by one, make two calls each, and stay to the end.
 */
#include <pthread.h>
#include <stdlib.h>

enum { THREADS_MAX = 256 };

static pthread_barrier_t begun;
static pthread_barrier_t over;

static void *slow(void *unused)
{
    free(malloc(100));
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&over);
    return unused;
}

static void churn(long pairs)
{
    for (long i = 0; i < pairs; i++) {
        void *volatile p = malloc(1000);
        free(p);
    }
}

int main(int argc, char **argv)
{
    pthread_t others[THREADS_MAX];
    int threads = argc == 3 ? atoi(argv[1]) : 0;
    long pairs = argc == 3 ? atol(argv[2]) : 0;
    if (threads < 1 || threads > THREADS_MAX)
        return 2;
    pthread_barrier_init(&begun, NULL, 2);
    pthread_barrier_init(&over, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        churn(pairs / threads);
        if (pthread_create(&others[i], NULL, slow, NULL) != 0)
            return 1;
        pthread_barrier_wait(&begun);
    }
    pthread_barrier_wait(&over);
    for (int i = 0; i < threads; i++)
        pthread_join(others[i], NULL);
    return 0;
}
