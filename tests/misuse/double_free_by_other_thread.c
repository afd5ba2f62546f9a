/*
 * A block is freed by its thread and then by another.
 * both builds: certain
 * span: free(0xADDRESS): double free
 */
#include <pthread.h>
#include <stdlib.h>

static pthread_barrier_t turn;
static void *volatile p;

/* Has the second turn. */
static void *free_too(void *unused)
{
    pthread_barrier_wait(&turn);
    free(p);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&turn, NULL, 2);
    if (pthread_create(&thread, NULL, free_too, NULL) != 0)
        return 1;
    void *keeps_the_span = malloc(100);
    p = malloc(100);
    free(p);
    pthread_barrier_wait(&turn);
    pthread_join(thread, NULL);
    free(keeps_the_span);
    return 0;
}
