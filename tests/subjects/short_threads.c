/*
 * Many threads that live for one malloc of 12345 bytes; it is freed by a thread-specific
 * destructor, in the last round in which these run. Argument: number of threads.
 */
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

static pthread_key_t key;
static _Thread_local int rounds;

static void destroy(void *p)
{
    if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(key, p);
    else
        free(p);
}

static void *live(void *unused)
{
    (void)unused;
    pthread_setspecific(key, malloc(12345));
    return NULL;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 2000;
    pthread_t thread;
    pthread_key_create(&key, destroy);
    for (long i = 0; i < count; i++) {
        if (pthread_create(&thread, NULL, live, NULL) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    return 0;
}
