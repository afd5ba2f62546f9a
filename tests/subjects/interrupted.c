/*
 * A signal handler mallocs and frees 64 bytes, as often as another thread can send the signal,
 * while the main thread does 100,000 mallocs of 48 bytes, waiting for the signal now and then.
 * Needs an allocator that bears this. Prints the number of the handler's runs.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 100 * 1000, BETWEEN = 500 };

static atomic_bool done;
static volatile sig_atomic_t runs;

static void handler(int signal)
{
    (void)signal;
    free(malloc(64));
    runs++;
}

static void *send(void *to)
{
    while (!atomic_load(&done))
        pthread_kill(*(pthread_t *)to, SIGUSR1);
    return NULL;
}

int main(void)
{
    pthread_t self = pthread_self();
    pthread_t sender;
    signal(SIGUSR1, handler);
    if (pthread_create(&sender, NULL, send, &self) != 0)
        return 1;
    for (int i = 0; i < COUNT; i++) {
        free(malloc(48));
        for (int seen = runs; i % BETWEEN == 0 && runs == seen;)
            sched_yield();
    }
    atomic_store(&done, true);
    pthread_join(sender, NULL);
    printf("%d\n", (int)runs);
    return 0;
}
